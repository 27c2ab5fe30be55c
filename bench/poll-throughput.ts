import { cpus, loadavg } from 'node:os';
import { pino } from 'pino';
import { uuidAt } from '../src/domain/uuid.js';
import { connectBroker } from '../src/messaging/connect-broker.js';
import { pause } from '../src/retry.js';
import { startAmr, type AmrProcess } from '../src/scratch/amr-process.js';
import { recordQuestions, replaySessions } from './bare-client.js';
import { wholeOption } from './options.js';
import { own } from '../src/scratch/owned.js';
import { collectResults, describeFailures, pollSession, publishSessions } from './poll-sessions.js';
import { createScratchQueues } from '../src/scratch/scratch.js';
import { startSimulatedMeters } from './simulated-meters.js';

/** Whole sessions per second to pass, on 2 cores that also carry simulator and broker. */
const BAR = 600;
/** Rows of the hourly archive in a session. */
const ROWS = 4;
const WITHIN_MS = 180_000;
/** What a poller publishes for a session of one call, and waits for each time. */
const PUBLISHES = ['amr.results', 'readings.new', 'amr.results', 'amr.results'] as const;

/**
 * Whole sessions per second of one real `amr poller` with meters that answer at once: sign-on, serial number, one archive
 * read of four rows, break; four messages confirmed and one acknowledged for each. Beside it, in the same run: a bare
 * client that sends the same bytes to the same meters, and the same number of publishes with confirms alone.
 */
export async function run(options: Map<string, string>): Promise<void> {
  const sessions = wholeOption(options, 'sessions', 12_000, 100, 200_000);
  const open = wholeOption(options, 'open', 200, 1, 2_000);
  // More meters than sessions open: each meter serves one at a time.
  const fleet = await startSimulatedMeters(2 * open);
  console.log(
    `settings: ${cpus().length} cores, Node ${process.version}, ${sessions} sessions, ${open} open at once, ${fleet.meters.length} meters; load average before ${loadavg()[0]!.toFixed(1)}`,
  );
  const newest = Math.floor(Date.now() / 3_600_000) * 3_600_000;
  const call = {
    task_call: 'read_archive_by_date',
    task_kwargs: {
      start_date: new Date(newest - (ROWS - 1) * 3_600_000).toISOString(),
      end_date: new Date(newest).toISOString(),
    },
  };

  const bare = await bareClient(fleet, call, sessions, open);
  const queues = createScratchQueues('bench');
  const broker = await connectBroker(queues, pino({ level: 'silent' }));
  own(() => broker.close());
  const confirms = await publishAlone(sessions, open);

  await publishSessions(
    broker,
    Array.from({ length: sessions }, (_, index) => pollSession(fleet.meters[index % fleet.meters.length]!, call)),
  );
  const simulatorBefore = await fleet.cpuSeconds();
  const poller = await startAmr(['poller', '--queue', 'amr.scheduled', '--sessions', String(open)], {
    env: { AMQP_URL: queues.amqpUrl, AMR_QUEUE_PREFIX: queues.queuePrefix },
    profile: options.get('profile'),
  });
  const metrics = await untilConsumed(poller, sessions);
  const simulatorMs = (((await fleet.cpuSeconds()) - simulatorBefore) * 1000) / sessions;
  await poller.stop();
  const results = await collectResults(broker, sessions, WITHIN_MS);

  const rate = sessions / ((results.lastFinishedAt - results.firstStartedAt) / 1000);
  const pollerMs = (metrics('process_cpu_seconds_total') * 1000) / sessions;
  const complete = results.succeeded === sessions;
  const fast = rate >= BAR;
  console.log(`bare client: ${fmt(bare.rate)} sessions/s, ${bare.cpuMs.toFixed(2)} ms CPU a session`);
  console.log(`confirms alone: ${fmt(confirms)} messages/s, enough for ${fmt(confirms / PUBLISHES.length)} sessions/s`);
  console.log(
    `poller: ${fmt(rate)} sessions/s (bar ${BAR}) ${fast ? 'ok' : 'BELOW THE BAR'}, ratio to the bare client ${(rate / bare.rate).toFixed(2)}; ` +
      `${pollerMs.toFixed(2)} ms CPU a session (start-up included), simulator ${simulatorMs.toFixed(2)} ms; ` +
      `start-up ${poller.startUpMs} ms, ${Math.round(metrics('process_resident_memory_bytes') / 1e6)} MB`,
  );
  console.log(
    `runs: ${results.succeeded} of ${sessions} succeeded, failed: ${describeFailures(results)}; ${results.readings} readings; load average after ${loadavg()[0]!.toFixed(1)}`,
  );
  if (!fast || !complete) process.exitCode = 1;
}

async function bareClient(
  { meters }: Awaited<ReturnType<typeof startSimulatedMeters>>,
  call: Parameters<typeof pollSession>[1],
  sessions: number,
  open: number,
): Promise<{ rate: number; cpuMs: number }> {
  const { serialNumber } = meters[0]!;
  const questions = await recordQuestions(meters[0]!, {
    // Without the serial number compared, which is another for each meter; it is asked for all the same.
    meter: { name: 'bare', serialNumber, timeZone: 'UTC' },
    calls: [{ runId: uuidAt(), taskCall: call.task_call, kwargs: call.task_kwargs }],
  });
  const before = process.cpuUsage();
  const rate = await replaySessions(meters, questions, sessions, open);
  const { user, system } = process.cpuUsage(before);
  return { rate, cpuMs: (user + system) / 1000 / sessions };
}

/** Messages per second when each of `open` senders waits for each confirm, as a session does. */
async function publishAlone(sessions: number, open: number): Promise<number> {
  const queues = createScratchQueues('bench');
  const other = await connectBroker(queues, pino({ level: 'silent' }));
  const body = Buffer.alloc(300, 'x');
  const started = performance.now();
  let left = sessions;
  const send = async () => {
    while (left-- > 0) for (const queue of PUBLISHES) await other.publish(queue, body);
  };
  await Promise.all(Array.from({ length: open }, send));
  const seconds = (performance.now() - started) / 1000;
  await other.close();
  await queues.dispose();
  return (sessions * PUBLISHES.length) / seconds;
}

/** Resolves with the poller's metrics once it has acknowledged all sessions. */
async function untilConsumed(poller: AmrProcess, sessions: number): ReturnType<AmrProcess['metrics']> {
  const deadline = Date.now() + WITHIN_MS;
  for (;;) {
    const metrics = await poller.metrics();
    const done = metrics('amr_messages_consumed_total{queue="amr.scheduled",disposition="ack"}');
    if (done >= sessions) return metrics;
    if (Date.now() > deadline)
      throw new Error(`only ${done} of ${sessions} sessions were over within ${WITHIN_MS / 1000} s`);
    await pause(500);
  }
}

const fmt = (rate: number) => Math.round(rate).toLocaleString('en');
