import pg from 'pg';
import { pino } from 'pino';
import { ensurePartition } from '../db/partitions.js';
import { DEFAULT_ORGANIZATION_ID } from '../domain/organization.js';
import type { IngestStrategy } from '../domain/strategy-advice.js';
import type { Broker } from '../messaging/broker.js';
import { connectBroker } from '../messaging/connect-broker.js';
import { startAmr } from '../scratch/amr-process.js';
import { own } from '../scratch/owned.js';
import { createScratch, type Scratch, type Servers } from '../scratch/scratch.js';
import { committedReadings, databaseClockAhead } from './committed.js';
import { differences, expectedState, storedState } from './expected-state.js';
import { clockNow, feed, type Pace } from './feed.js';
import { IngesterWatch } from './ingester-watch.js';
import { countReadings, type Load, type LoadMessage } from './load.js';
import { countInversions, percentiles } from './order.js';
import type { StrategyReport } from './report.js';

export interface StrategyRun {
  strategy: IngestStrategy;
  load: Load;
  /** Published as fast as they are settled, for `burstSeconds`: the rest is left out. */
  burst: readonly LoadMessage[];
  /** Published at `rate`, or at half the throughput where that is less, for `pacedSeconds`, when the burst is settled. */
  paced: readonly LoadMessage[];
  burstSeconds: number;
  /** Readings per second, at most. */
  rate: number | undefined;
  pacedSeconds: number;
  ingesters: number;
  timeoutMs: number;
  /** Settings of the ingesters beside the strategy. */
  environment: Readonly<Record<string, string>>;
  keep: boolean;
}

export interface StrategyMeasurement {
  report: StrategyReport;
  clockErrorMs: number;
  versions: { postgres: string; broker: string };
  scratch: Pick<Scratch, 'databaseUrl' | 'queuePrefix'>;
}

/**
 * Measures one strategy with ingesters of its own on a database and queues of its own; nothing of them remains, unless they are to be
 * kept. A load that is not settled in time is reported with what is missing. Throws when an ingester ends.
 */
export async function runStrategy(
  run: StrategyRun,
  servers: Servers,
  onProgress: (settled: number) => void,
): Promise<StrategyMeasurement> {
  const scratch = await createScratch('compare', servers, { keep: run.keep });
  const client = new pg.Client({
    connectionString: scratch.databaseUrl,
    connectionTimeoutMillis: 10_000,
    query_timeout: 120_000,
  });
  // The server may drop the database under it when the command is interrupted; a query says so too.
  client.on('error', () => undefined);
  const disconnect = own(() => client.end());
  await client.connect();
  await prepare(client, run.load);
  let connecting: Promise<Broker> | undefined;
  // Said before: an interruption meanwhile would leave a connection that nobody closes.
  const closeBroker = own(async () => (await connecting?.catch(() => undefined))?.close());
  const broker = await (connecting = connectBroker(scratch, pino({ level: 'silent' })));
  const env = {
    ...run.environment,
    AMR_INGEST_STRATEGY: run.strategy,
    DATABASE_URL: scratch.databaseUrl,
    AMQP_URL: scratch.amqpUrl,
    AMR_QUEUE_PREFIX: scratch.queuePrefix,
    // Readings that are refused on purpose are no news.
    AMR_LOG_LEVEL: 'fatal',
  };
  const ingesters = await Promise.all(Array.from({ length: run.ingesters }, () => startAmr(['ingester'], { env })));
  const before = await databaseClockAhead(client);

  const messages: LoadMessage[] = [];
  const times = new Float64Array(run.burst.length + run.paced.length);
  const watch = new IngesterWatch(ingesters);
  await watch.look();
  const cpuBefore = watch.cpuSeconds;
  const timeout = AbortSignal.timeout(run.timeoutMs);
  const settle = async (part: readonly LoadMessage[], pace: Pace) => {
    let target: number | undefined;
    const feeding = async () => {
      const published = await feed(broker, run.load, part, pace, times.subarray(messages.length), timeout).catch(
        (error: unknown) => {
          if (!timeout.aborted) throw error;
          return undefined;
        },
      );
      messages.push(...part.slice(0, published));
      target = countReadings(messages);
    };
    const [isSettled] = await Promise.all([watch.until(() => target, timeout, onProgress), feeding()]);
    return isSettled;
  };
  const isBurstSettled = await settle(run.burst, { seconds: run.burstSeconds, settled: () => watch.accounted });
  const inBurstCount = messages.length;
  // At a rate above its throughput the latency of a strategy would tell only how long it was loaded.
  const reached = (1000 * watch.accounted) / (clockNow() - times[0]!);
  const pacedRate = run.rate === undefined ? null : Math.min(run.rate, reached / 2);
  if (isBurstSettled && pacedRate !== null) await settle(run.paced, { rate: pacedRate, seconds: run.pacedSeconds });
  const clock = await databaseClockAhead(client);
  const versions = await versionsOf(client, broker.description);
  const aheadMs = (before.aheadMs + clock.aheadMs) / 2;
  const committed = await committedReadings(client, run.load, messages, times, aheadMs);
  const state = await storedState(client);
  const { outcomes, stepSeconds, peakMemoryBytes, cpuSeconds, accounted } = watch;
  await Promise.all(ingesters.map((ingester) => ingester.stop()));
  await closeBroker();
  await disconnect();
  await scratch.dispose();

  const readings = countReadings(messages);
  const inBurst = committed.filter(({ published }) => published < inBurstCount);
  const lastCommit = inBurst.reduce((last, { committedAt }) => Math.max(last, committedAt), times[0] ?? 0);
  const burstSeconds = Math.max(0.001, (lastCommit - (times[0] ?? 0)) / 1000);
  const unaccounted = Math.max(0, readings - accounted);
  const latency = (isPaced: boolean) =>
    percentiles(
      committed.filter(({ published }) => published >= inBurstCount === isPaced).map(({ latencyMs }) => latencyMs),
    ) ?? null;
  return {
    report: {
      strategy: run.strategy,
      messages: messages.length,
      readings,
      isSample: messages.length < run.load.messages.length,
      burstSeconds,
      throughput: Math.min(countReadings(messages.slice(0, inBurstCount)), accounted) / burstSeconds,
      burstLatency: latency(false),
      pacedLatency: latency(true),
      pacedRate,
      inversions: countInversions(committed),
      stored: state.stored,
      duplicates: outcomes.duplicate ?? 0,
      revisions: state.revisions,
      staged: state.staged,
      deadLettered: state.deadLettered,
      unaccounted,
      digest: state.digest,
      differences: [
        ...(unaccounted > 0 ? [`${unaccounted} readings had no outcome after ${run.timeoutMs / 1000} s`] : []),
        ...differences(expectedState(run.load, messages), state),
      ],
      peakMemoryBytes,
      cpuSeconds: cpuSeconds - cpuBefore,
      stepSeconds,
    },
    clockErrorMs: Math.max(before.errorMs, clock.errorMs) + Math.abs(before.aheadMs - clock.aheadMs) / 2,
    versions,
    scratch,
  };
}

/** Meters, and what ingesters make once for each register and month: it would count as time of a reading. */
async function prepare(client: pg.Client, load: Load): Promise<void> {
  await client.query(
    'insert into meter_device (id, organization_id, name) select gen_random_uuid(), $1, name from unnest($2::text[]) as name',
    [DEFAULT_ORGANIZATION_ID, load.meters],
  );
  await client.query(
    `with s as (insert into series (id, organization_id, name, unit) values (gen_random_uuid(), $1, $2, $3) returning id)
     insert into register (meter_device_id, series_id) select m.id, s.id from meter_device m, s order by m.name`,
    [DEFAULT_ORGANIZATION_ID, load.series, load.unit],
  );
  const months = new Set<number>();
  for (const { readings } of load.messages) {
    for (const { measuredAt } of readings) {
      const at = new Date(measuredAt);
      months.add(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 1));
    }
  }
  for (const month of months) await ensurePartition(client, 'meter_reading', new Date(month));
}

async function versionsOf(client: pg.Client, broker: string): Promise<{ postgres: string; broker: string }> {
  const { rows } = await client.query<{ version: string }>(`select current_setting('server_version') as version`);
  return { postgres: rows[0]!.version, broker: broker.replace(/ at .*/, '') };
}
