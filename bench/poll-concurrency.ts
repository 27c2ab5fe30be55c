import { cpus, loadavg } from 'node:os';
import { pino } from 'pino';
import { ReadingOrigin } from '../src/domain/enums.js';
import { connectBroker } from '../src/messaging/connect-broker.js';
import { pause } from '../src/retry.js';
import { startAmr, type AmrProcess } from '../src/scratch/amr-process.js';
import { wholeOption } from './options.js';
import { own } from '../src/scratch/owned.js';
import { collectResults, describeFailures, pollSession, publishSessions } from './poll-sessions.js';
import { createScratchQueues } from '../src/scratch/scratch.js';
import { openFilesLimit, startSimulatedMeters } from './simulated-meters.js';

/** Bars: resident memory of the poller for up to so many sessions, and the worst event-loop delay p99 of any second. */
const MEMORY_BAR = { sessions: 5_000, megabytes: 600 };
const DELAY_BAR_MS = 100;
/** Answers in a session of the call below. */
const ANSWERS = 9;
const CALL = { task_call: 'read_archive_by_offset_seconds', task_kwargs: { offset_seconds: 4 * 3600 } };
/** Files that a poller opens beside its sockets. */
const OWN_FILES = 200;

/**
 * One real `amr poller` with thousands of sessions open at once, on meters that take their time: its memory, and how long
 * its event loop was held up, from its /metrics once a second. The delay is the worst p99 of any second: over the whole
 * time one long stop would be one sample among thousands of short ones.
 */
export async function run(options: Map<string, string>): Promise<void> {
  const sessions = wholeOption(options, 'sessions', 5_000, 2, 20_000);
  const seconds = wholeOption(options, 'seconds', 20, 5, 100);
  const files = openFilesLimit();
  if (files < sessions + OWN_FILES) {
    throw new Error(
      `the poller needs ${sessions + OWN_FILES} open files, the hard limit is ${files}: raise it (ulimit -Hn) or lower --sessions`,
    );
  }
  const delayMs = Math.round((seconds * 1000) / ANSWERS);
  const fleet = await startSimulatedMeters(sessions, {
    answerDelayMs: { distribution: 'uniform', min: Math.round(delayMs * 0.8), max: Math.round(delayMs * 1.2) },
  });
  console.log(
    `settings: ${cpus().length} cores, Node ${process.version}, ${sessions} sessions of about ${seconds} s, half of them on demand, ` +
      `${fleet.meters.length} meters in ${fleet.processes.length} process(es), ${files} open files allowed; load average before ${loadavg()[0]!.toFixed(1)}`,
  );
  const queues = createScratchQueues('bench');
  const broker = await connectBroker(queues, pino({ level: 'silent' }));
  own(() => broker.close());
  // A poller opens so many for each of its two queues.
  const poller = await startAmr(['poller', '--sessions', String(Math.ceil(sessions / 2))], {
    env: { AMQP_URL: queues.amqpUrl, AMR_QUEUE_PREFIX: queues.queuePrefix },
  });
  const before = (await poller.metrics())('process_resident_memory_bytes');
  const over = new AbortController();
  const watching = watch(poller, sessions, over.signal);
  const collecting = collectResults(broker, sessions, (seconds + 90) * 1000).finally(() => over.abort());
  await publishSessions(
    broker,
    fleet.meters.map((meter, index) =>
      pollSession(meter, CALL, index % 2 === 0 ? ReadingOrigin.SCHEDULED : ReadingOrigin.ON_DEMAND),
    ),
  );
  const [results, seen] = await Promise.all([collecting, watching]);

  const megabytes = seen.residentBytes / 1e6;
  const bars: [string, boolean][] = [
    [`all ${sessions} open at once`, seen.open === sessions],
    [`event-loop delay below ${DELAY_BAR_MS} ms`, seen.delayMs < DELAY_BAR_MS],
    [`all runs succeed`, results.succeeded === sessions && results.failed.size === 0],
  ];
  if (sessions <= MEMORY_BAR.sessions)
    bars.push([`memory below ${MEMORY_BAR.megabytes} MB`, megabytes < MEMORY_BAR.megabytes]);
  console.log(`start-up: ${poller.startUpMs} ms`);
  console.log(
    `open: ${seen.open} sessions at the peak with ${seen.files} files, ${seen.fullSeconds.toFixed(0)} s with all of them; ` +
      `all over within ${((results.lastFinishedAt - results.firstStartedAt) / 1000).toFixed(1)} s`,
  );
  console.log(
    `memory: ${Math.round(before / 1e6)} MB before, ${Math.round(megabytes)} MB at the peak, ${Math.round((seen.residentBytes - before) / sessions / 1000)} kB a session`,
  );
  console.log(
    `event-loop delay, worst second: p99 ${seen.delayMs.toFixed(0)} ms with all open, ${seen.rampDelayMs.toFixed(0)} ms while they were opened or ended`,
  );
  console.log(
    `runs: ${results.succeeded} of ${sessions} succeeded, failed: ${describeFailures(results)}; ${results.readings} readings; load average after ${loadavg()[0]!.toFixed(1)}`,
  );
  for (const [bar, held] of bars) console.log(`bar: ${bar}: ${held ? 'ok' : 'MISSED'}`);
  if (!bars.every(([, held]) => held)) process.exitCode = 1;
}

interface Seen {
  /** Sessions at the peak, and the open files then. */
  open: number;
  files: number;
  residentBytes: number;
  /** How long all were open. */
  fullSeconds: number;
  /** Worst p99 of a second with all sessions open, and of any other. */
  delayMs: number;
  rampDelayMs: number;
}

/** Looks at the poller once a second; its figures of delays are those since the look before. */
async function watch(poller: AmrProcess, sessions: number, signal: AbortSignal): Promise<Seen> {
  const seen: Seen = { open: 0, files: 0, residentBytes: 0, fullSeconds: 0, delayMs: 0, rampDelayMs: 0 };
  await poller.metrics();
  let wasFull = false;
  let last = performance.now();
  while (!signal.aborted) {
    await pause(1_000, signal);
    const metrics = await poller.metrics();
    const open = metrics('amr_poller_open_sessions');
    const isFull = open === sessions;
    const delayMs = metrics('nodejs_eventloop_lag_p99_seconds') * 1000;
    if (open > seen.open) [seen.open, seen.files] = [open, metrics('process_open_fds')];
    seen.residentBytes = Math.max(seen.residentBytes, metrics('process_resident_memory_bytes'));
    if (isFull && wasFull) {
      seen.fullSeconds += (performance.now() - last) / 1000;
      seen.delayMs = Math.max(seen.delayMs, delayMs);
    } else {
      seen.rampDelayMs = Math.max(seen.rampDelayMs, delayMs);
    }
    last = performance.now();
    wasFull = isFull;
  }
  return seen;
}
