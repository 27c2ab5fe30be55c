import type { Command } from 'commander';
import { parseInstant } from '../domain/instant.js';
import type { GraphqlClient } from '../graphql/client.js';
import {
  InvokeTaskDocument,
  ReadingsDocument,
  TaskRunDocument,
  TaskRunUpdatedDocument,
  type RunProgressFragment,
} from '../graphql/generated/graphql.js';
import { pause } from '../retry.js';
import { until, withClient } from './client.js';
import { CommandError, EXIT, type CliIo } from './io.js';
import { findMeter, type Named } from './meters.js';
import { apiUrl, DEFAULT_URL, jsonObject, TOKEN_HELP, wholeNumber } from './options.js';
import { isFinal, isLater, isSettled, progressLine, reason } from './run-progress.js';
import { tableLines } from './table.js';

/** A silent meter takes most of it: connecting (10 s) and three sign-ons of 20 s each, before it is tried again. */
const DEFAULT_TIMEOUT_SECONDS = 120;
/** News of a run comes live; it is also looked at this often, as news may be lost. */
const LOOK_EVERY_MS = 1_000;
const MAX_READINGS_SHOWN = 1_000;
/** A meter's clock may be ahead or behind by so much, and its readings stamped so. */
const CLOCK_MARGIN_MS = 120_000;

interface InvokeOptions {
  url: string;
  token?: string;
  meter: string;
  type: string;
  call: string;
  kwargs: Record<string, unknown>;
  timeout: number;
}

export function addInvoke(program: Command, io: CliIo): void {
  program
    .command('invoke')
    .description('Carry out one call on one meter and wait until its readings are stored')
    .requiredOption('--meter <name>', 'name or id of the meter')
    .requiredOption('--call <name>', 'what to do, e.g. read_single_value')
    .option('--type <name>', 'how to talk to the meter', 'generic_lis200')
    .option('--kwargs <json>', 'arguments of the call', jsonObject, {})
    .option('--timeout <seconds>', 'how long to wait for all of it', wholeNumber(1, 86_400), DEFAULT_TIMEOUT_SECONDS)
    .option('--url <url>', "the API's address", apiUrl, DEFAULT_URL)
    .option('--token <token>', TOKEN_HELP)
    .addHelpText(
      'after',
      `
Exit codes: 0 succeeded and stored, 1 the run failed, 2 wrong usage, 3 the API cannot be reached, 4 timed out.

Examples:
  $ amr invoke --meter DEMO-0001 --call read_single_value --kwargs '{"address":"2:300.0"}'
  $ amr invoke --meter DEMO-0001 --call read_archive_by_offset_seconds \\
      --kwargs '{"offset_seconds":7200,"archive_number":3,"control_position":3}'`,
    )
    .action((options: InvokeOptions) => withClient(options, io, (client) => invoke(client, options, io)));
}

async function invoke(client: GraphqlClient, options: InvokeOptions, io: CliIo): Promise<void> {
  const interrupted = io.interrupted();
  // Joined by hand: under `AbortSignal.any` a time-out signal was seen to be collected, and never to come (Node 20).
  const waiting = new AbortController();
  const { signal } = waiting;
  const timer = setTimeout(() => waiting.abort(new Error('the time is over')), options.timeout * 1000);
  const onInterrupt = () => waiting.abort(interrupted.reason);
  interrupted.addEventListener('abort', onInterrupt, { once: true });
  if (interrupted.aborted) onInterrupt();
  let last: RunProgressFragment | undefined;
  const see = (run: RunProgressFragment): void => {
    if (!isLater(run, last)) return;
    const line = progressLine(run);
    if (last === undefined || line !== progressLine(last)) io.out(line);
    last = run;
  };
  try {
    const meter = await findMeter(client, options.meter, signal);
    const run = await carryOut(client, meter, options, io, see, signal);
    if (run.state !== 'SUCCEEDED') throw new CommandError(EXIT.failed, `The run failed: ${reason(run)}`);
    if (run.result) io.out(`result: ${JSON.stringify(run.result)}`);
    if (run.readingCount > 0) await showReadings(client, meter, run, options.kwargs, io, signal);
    if (run.rejectedCount > 0) {
      throw new CommandError(EXIT.failed, `${run.rejectedCount} readings could not be stored; they are dead letters.`);
    }
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    if (interrupted.aborted)
      throw new CommandError(EXIT.interrupted, `No longer waiting${last ? ` for run ${last.id}` : ''}.`);
    throw new CommandError(EXIT.timedOut, `After ${options.timeout} s ${whereItStands(last, options.url)}`);
  } finally {
    clearTimeout(timer);
    interrupted.removeEventListener('abort', onInterrupt);
    waiting.abort();
  }
}

/** How far the run has come, and how to look at it later. */
function whereItStands(run: RunProgressFragment | undefined, url: string): string {
  if (run === undefined) return 'the API has not answered.';
  const missing = !isFinal(run)
    ? 'it has not ended'
    : isSettled(run)
      ? 'its readings could not be fetched'
      : 'its readings are not all stored';
  return `run ${run.id} is ${run.state}: ${missing}. Look again in GraphiQL (${new URL('/graphiql', url).href}) with
  { taskRun(id: "${run.id}") { state attempts errorCode errorMessage readingCount storedCount } }`;
}

/** Invokes, tells `see` of each state, and returns the run when it is settled. Throws the reason of `signal` when that aborts. */
async function carryOut(
  client: GraphqlClient,
  meter: Named,
  { type, call, kwargs, timeout }: InvokeOptions,
  io: CliIo,
  see: (run: RunProgressFragment) => void,
  signal: AbortSignal,
): Promise<RunProgressFragment> {
  const input = {
    meterDevice: meter.id,
    meterExecutionType: type,
    taskCall: call,
    taskKwargs: kwargs,
    // Nobody waits for it any longer.
    deadlineSeconds: timeout,
  };
  const { taskRun: invoked } = (await client.request(InvokeTaskDocument, { input }, signal)).invokeTask;
  let outcome: RunProgressFragment | undefined;
  // Aborts when the run is settled, and when there is no more time to wait for that.
  const over = new AbortController();
  signal.addEventListener('abort', () => over.abort(), { once: true });
  const hear = (run: RunProgressFragment): void => {
    if (run.id !== invoked.id) return;
    see(run);
    if (!isSettled(run)) return;
    outcome = run;
    over.abort();
  };
  io.out(`run ${invoked.id} on ${meter.name}`);
  hear(invoked);
  // Without live news the looks below are enough.
  void follow(client, meter, hear, over.signal).catch(() => undefined);
  while (!over.signal.aborted) {
    const { taskRun } = await client.request(TaskRunDocument, { id: invoked.id }, signal);
    if (taskRun) hear(taskRun);
    await pause(LOOK_EVERY_MS, over.signal);
  }
  if (outcome) return outcome;
  throw signal.reason;
}

async function follow(
  client: GraphqlClient,
  meter: Named,
  see: (run: RunProgressFragment) => void,
  signal: AbortSignal,
): Promise<void> {
  const updates = client.subscribe(TaskRunUpdatedDocument, () => ({ filter: { meterDevice: meter.id } }));
  for await (const { taskRunUpdated } of until(signal, updates)) see(taskRunUpdated);
}

/** The stored readings of the time that the call asked for. */
async function showReadings(
  client: GraphqlClient,
  meter: Named,
  run: RunProgressFragment,
  kwargs: Record<string, unknown>,
  io: CliIo,
  signal: AbortSignal,
): Promise<void> {
  const { from, to } = timeOf(run, kwargs);
  const variables = {
    meterDevice: meter.id,
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    first: MAX_READINGS_SHOWN,
  };
  const { readings } = await client.request(ReadingsDocument, variables, signal);
  const rows = readings.columns.flatMap(({ register: { series }, timestamps, values }) =>
    timestamps.map((timestamp, index) => [series.name, timestamp, values[index] ?? '', series.unit ?? '']),
  );
  for (const line of tableLines(['SERIES', 'TIMESTAMP', 'VALUE', 'UNIT'], rows)) io.out(line);
  if (readings.next) io.note(`Only the first ${MAX_READINGS_SHOWN} are shown.`);
}

/** What time, in milliseconds since the epoch, the call's readings are of; a call without one reads values of now. */
export function timeOf(
  run: Pick<RunProgressFragment, 'startedAt' | 'finishedAt' | 'notBefore'>,
  { start_date, end_date, offset_seconds }: Record<string, unknown>,
): { from: number; to: number } {
  const begun = Date.parse(run.startedAt ?? run.notBefore) - CLOCK_MARGIN_MS;
  const ended = (run.finishedAt ? Date.parse(run.finishedAt) : Date.now()) + CLOCK_MARGIN_MS;
  const instant = (value: unknown) => (typeof value === 'string' ? parseInstant(value) : undefined);
  const back = typeof offset_seconds === 'number' ? offset_seconds * 1000 : 0;
  const end = instant(end_date);
  // The API leaves out what was measured at `to` itself, a meter's archive does not.
  return { from: instant(start_date) ?? begun - back, to: end === undefined ? ended : end + 1 };
}
