import type pg from 'pg';
import { notePassedOn, readLogHead, readNumberedAfter, type NumberedRow } from '../db/reading-log.js';
import { messageOf } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { CommittedBatch, decode, encode, type CommittedReadingsMessage } from '../messaging/contracts.js';
import { backoff, pause } from '../retry.js';
import type { Logger } from '../telemetry.js';
import { messagesOf } from './committed-messages.js';
import type { Wake } from './wake.js';

/** Longest sleep, should a ring be missed. */
const IDLE_MS = 500;
const CONFIRM_TIMEOUT_MS = 10_000;
const RETRY = { firstMs: 250, mostMs: 30_000 };

/**
 * Publishes numbered batches to the topic exchange `readings`, from where a predecessor stopped, until `signal` aborts;
 * never rejects. The first time it begins at the head of the log. At least once, in the order of position; per meter the
 * order holds even when a message is refused in between, as the meter's next one is not sent before it is confirmed.
 */
export async function publishToExchange(
  pool: pg.Pool,
  broker: Broker,
  log: Logger,
  numbered: Wake,
  signal: AbortSignal,
): Promise<void> {
  let done: number | undefined;
  let delays = backoff(RETRY.firstMs, RETRY.mostMs);
  while (!signal.aborted) {
    try {
      done ??= await startingPlace(pool);
      const page = await readNumberedAfter(pool, done);
      if (page.length === 0) {
        await numbered.sleep(IDLE_MS, signal);
        continue;
      }
      await publishPage(broker, await toMessages(pool, page, log), log, signal);
      if (signal.aborted) return; // perhaps not all of it is confirmed
      done = Number(page.at(-1)!.position);
      await notePassedOn(pool, 'exchanged', done);
      delays = backoff(RETRY.firstMs, RETRY.mostMs);
    } catch (error) {
      log.warn({ err: messageOf(error) }, 'readings cannot be published to the topic exchange; trying again');
      await pause(delays.next().value, signal);
    }
  }
}

async function startingPlace(pool: pg.Pool): Promise<number> {
  const { position, exchanged } = await readLogHead(pool);
  if (exchanged === undefined) await notePassedOn(pool, 'exchanged', position);
  return exchanged ?? position;
}

async function toMessages(
  pool: pg.Pool,
  page: readonly NumberedRow[],
  log: Logger,
): Promise<CommittedReadingsMessage[]> {
  const batches = page.flatMap((row) => {
    const parsed = decode(CommittedBatch, Buffer.from(row.body));
    // An unreadable row has no readings to show; it must not hold up those behind it.
    if (!parsed.ok)
      log.error({ position: row.position, reason: parsed.reason }, 'a row of the reading log cannot be read');
    return parsed.ok
      ? [{ position: Number(row.position), organization: row.organization_id, batch: parsed.message }]
      : [];
  });
  const meters = [...new Set(batches.flatMap(({ batch }) => batch.columns.map(({ meter }) => meter)))];
  const { rows } = await pool.query<{ id: string; name: string }>(
    'select id, name from meter_device where id = any($1::uuid[])',
    [meters],
  );
  const names = new Map(rows.map(({ id, name }) => [id, name]));
  return batches.flatMap((batch) => messagesOf(batch, names));
}

/** Resolves when everything is confirmed, or `signal` aborts. */
async function publishPage(
  broker: Broker,
  messages: readonly CommittedReadingsMessage[],
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  for (const wave of waves(messages)) {
    const delays = backoff(RETRY.firstMs, RETRY.mostMs);
    let left = wave;
    while (left.length > 0 && !signal.aborted) {
      const { refused, reason } = await publishOnce(broker, left, signal);
      left = refused;
      if (left.length === 0 || signal.aborted) continue;
      log.warn(
        { messages: left.length, position: left[0]!.position, err: reason },
        'the topic exchange did not confirm readings; trying again, subscriptions are not affected',
      );
      await pause(delays.next().value, signal);
    }
  }
}

/** Cuts the messages where a meter comes a second time. */
function* waves(messages: readonly CommittedReadingsMessage[]): Generator<CommittedReadingsMessage[]> {
  let wave: CommittedReadingsMessage[] = [];
  let meters = new Set<string>();
  for (const message of messages) {
    if (meters.has(message.meter_device)) {
      yield wave;
      wave = [];
      meters = new Set();
    }
    wave.push(message);
    meters.add(message.meter_device);
  }
  yield wave;
}

/** Sends messages together and tells which of them were not confirmed, and why the first was not. */
async function publishOnce(
  broker: Broker,
  messages: readonly CommittedReadingsMessage[],
  signal: AbortSignal,
): Promise<{ refused: CommittedReadingsMessage[]; reason: string | undefined }> {
  const refused: CommittedReadingsMessage[] = [];
  let reason: string | undefined;
  const outcomes = messages.map((message) =>
    broker
      .publishTo('readings', `${message.organization}.${message.meter_device}`, encode(message), {
        messageId: message.message_id,
        confirmTimeoutMs: CONFIRM_TIMEOUT_MS,
      })
      .catch((error: unknown) => {
        refused.push(message);
        reason ??= messageOf(error);
      }),
  );
  // Who stops does not wait for a broker that is away, nor for one that does not keep its deadline.
  await Promise.race([Promise.all(outcomes), pause(CONFIRM_TIMEOUT_MS * 2, signal)]);
  return { refused, reason };
}
