import { whileLeading, type Leadership } from '../src/db/leader.js';
import { messageOf } from '../src/errors.js';
import type { Worker, WorkerContext } from '../src/lifecycle.js';
import { ControlMessage, decode } from '../src/messaging/contracts.js';
import { accountsWhileLeading } from '../src/services/accounts.js';
import { announceTo } from '../src/services/alert-announcement.js';
import { createDeadLetterHandler } from '../src/services/dead-letters.js';
import { LatencyObjectives } from '../src/services/objectives.js';
import { Ingester } from '../src/services/ingest/ingester.js';
import { startStatusReports } from '../src/services/ingest/status.js';
import { relayWhileLeading } from '../src/services/relay.js';
import { upkeepWhileLeading } from '../src/services/upkeep.js';
import { useBroker, useDatabase, type Resources } from '../src/resources.js';

/** Two batches of one-reading messages: one being written, one being filled. */
const BATCHES_IN_HAND = 2;
const MAX_PREFETCH = 10_000;
const MAX_BYTES_IN_HAND = 64 * 1024 * 1024;
/** Longer than a batch takes as a rule: those that are written side by side are acknowledged together. */
const HOLD_ACKS_MS = 200;
/** A batch takes well below a second; one that takes this long is held up. */
const STALLED_MS = 30_000;

/** `amr ingester`: stores readings once and relays what is committed. Any number may run; one leads relay, upkeep and accounts. */
export const ingester: Worker = async (context) => {
  const broker = await useBroker(context);
  return startIngester(context, { broker, database: await useDatabase(context, 'ingester') });
};

export async function startIngester(
  { config, log, onStop, ready }: WorkerContext,
  { broker, database }: Resources,
): Promise<string> {
  const { pool, url } = database;
  onStop(whileLeading(url, 'relay', log, (leadership) => relayWhileLeading(pool, broker, config, log, leadership)));
  const announce = announceTo(broker);
  onStop(
    whileLeading(url, 'accounts', log, (leadership) => accountsWhileLeading(pool, config, announce, log, leadership)),
  );
  onStop(whileLeading(url, 'upkeep', log, (leadership) => upkeepWhileLeading(pool, broker, config, log, leadership)));

  const stopping = new AbortController();
  const dead = await broker.consume(
    'readings.new.dead',
    createDeadLetterHandler(pool, 'readings.new.dead', log, stopping.signal),
    { prefetch: 10 },
  );
  onStop(() => dead.drain());

  const objectives = new LatencyObjectives(pool);
  await objectives.refresh();
  let ingest = new Ingester(pool, broker, config, log, objectives);
  let isWorking = !ingest.strategy.isElected;
  const control = await broker.listen(
    'amr.control',
    (body) => {
      const decoded = decode(ControlMessage, body);
      if (!decoded.ok) log.debug({ reason: decoded.reason }, 'a control message was ignored');
      else if (decoded.message.type === 'rows_changed')
        ingest.directory.forget(decoded.message.organization, decoded.message.meters);
    },
    () => ingest.directory.forgetAll(),
  );
  onStop(() => control.drain());
  onStop(startStatusReports(pool, broker, () => ({ ingester: ingest, isWorking }), log));

  const consume = async () => {
    const prefetch = Math.min(MAX_PREFETCH, config.ingestBatch * BATCHES_IN_HAND);
    const readings = await broker.consume('readings.new', ingest.handle, {
      prefetch,
      maxBytes: MAX_BYTES_IN_HAND,
      holdAcksMs: HOLD_ACKS_MS,
    });
    return async () => {
      // Cancelled first: each acknowledgement would fetch more.
      const drained = readings.drain();
      await ingest.stop();
      await drained;
    };
  };
  if (ingest.strategy.isElected) {
    const lead = async ({ signal }: Leadership) => {
      ingest = new Ingester(pool, broker, config, log, objectives);
      const stop = await consume();
      isWorking = true;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      isWorking = false;
      await stop();
      // Elected again before the next report, this process would forget them with this ingester.
      await ingest.watermarks
        .flush()
        .catch((error: unknown) => log.warn({ err: messageOf(error) }, 'watermarks could not be written'));
    };
    onStop(whileLeading(url, 'ingest', log, lead));
  } else onStop(await consume());
  onStop(() => stopping.abort());
  ready('ingest', async () =>
    ingest.writingForMs > STALLED_MS
      ? `a batch has waited ${Math.round(ingest.writingForMs / 1000)} s for the database`
      : undefined,
  );
  return `on ${broker.description}, strategy ${ingest.strategy.name}`;
}
