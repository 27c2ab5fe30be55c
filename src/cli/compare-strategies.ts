import { writeFile } from 'node:fs/promises';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { loadConfig } from '../config.js';
import { ORDERINGS, type Ordering } from '../domain/strategy-advice.js';
import { InputError, messageOf, StartupError } from '../errors.js';
import type { Comparison } from '../comparison/compare.js';
import type { Servers } from '../scratch/scratch.js';
import { comparisonProgress } from './comparison-progress.js';
import { CommandError, EXIT, type CliIo } from './io.js';
import { wholeNumber } from './options.js';
import { tableLines } from './table.js';

const HELP = `
Each strategy gets a database and queues of its own on DATABASE_URL and AMQP_URL, real ingester processes, and the same
messages in the same order; all of it is removed afterwards. It is a load: use a test server. AMR_INGEST_BATCH,
AMR_INGEST_WINDOW_MS and AMR_INGEST_PARALLELISM hold for the ingesters. Shares are from 0 to 1, of the messages.

Examples:
  $ amr compare-strategies
  $ amr compare-strategies readings.csv.gz --zone UTC --meters 50000 --interval 900 --max-latency 2000
  $ amr compare-strategies --shuffle 0.1 --duplicates 0.05 --poison 0.01 --ordering per-meter --html report.html`;

interface CompareOptions {
  meters?: number;
  interval?: number;
  readings: number;
  perMessage: number;
  shuffle: number;
  duplicates: number;
  late: number;
  poison: number;
  rate: number | 'max';
  seed: number;
  maxLatency?: number;
  ordering: Ordering;
  json?: string;
  html?: string;
  ingesters: number;
  burstSeconds: number;
  timeout: number;
  columns?: string[];
  zone?: string;
  series: string;
  unit: string;
  keep?: true;
}

export function addCompareStrategies(program: Command, io: CliIo): void {
  program
    .command('compare-strategies')
    .description('Measure the ingestion strategies on your data and say which to choose')
    .argument('[file]', 'CSV with meter, timestamp and value, .gz too; without it a load is generated')
    .option('--meters <number>', 'of the population (1000, or those of the file)', wholeNumber(1, 100_000_000))
    .option(
      '--interval <seconds>',
      'between two readings of a meter (900, or as in the file)',
      wholeNumber(1, 31_622_400),
    )
    .option('--readings <number>', 'readings of the load, at most', wholeNumber(10, 2_000_000), 60_000)
    .option('--per-message <number>', 'readings of a meter in one message', wholeNumber(1, 1_000), 1)
    .option('--shuffle <share>', 'messages that are moved, by up to 50 places', share, 0)
    .option('--duplicates <share>', 'messages that come twice', share, 0)
    .option('--late <share>', 'messages that come after a later one of their meter', lateShare, 0)
    .option('--poison <share>', 'wrong messages that are put in', share, 0)
    .option('--rate <readings/s>', 'pace of the part that tells latency; max: no such part', rate, 500)
    .option('--seed <number>', 'equal seeds make equal loads', wholeNumber(0, 2 ** 31), 1)
    .option(
      '--max-latency <ms>',
      'objective: from publishing to commit, 99 of 100 readings',
      wholeNumber(1, 86_400_000),
    )
    .addOption(new Option('--ordering <order>', 'objective: order of commits').choices(ORDERINGS).default('none'))
    .option('--json <file>', 'write the report as JSON (docs/strategies.md)')
    .option('--html <file>', 'write the report as one HTML page')
    .option('--ingesters <number>', 'ingesters at the same time', wholeNumber(1, 16), 1)
    .option('--burst-seconds <seconds>', 'the burst ends then, with a part of the load', wholeNumber(1, 600), 8)
    .option('--timeout <seconds>', 'for each strategy', wholeNumber(5, 3_600), 120)
    .option('--columns <names>', 'header names of meter, timestamp and value, with commas between', columnNames)
    .option('--zone <name>', 'zone of times without offset, such as UTC or Europe/London')
    .option('--series <name>', 'series of the readings', '1-0:1.8.0*255')
    .option('--unit <unit>', 'unit of the readings', 'kWh')
    .option('--keep', 'leave databases and queues for a look')
    .addHelpText('after', HELP)
    .action((file: string | undefined, options: CompareOptions) => compareStrategies(file, options, io));
}

async function compareStrategies(file: string | undefined, options: CompareOptions, io: CliIo): Promise<void> {
  const servers = serversOf(io);
  const comparison = await comparisonOf(file, options, io);
  const [{ compare }, { describeLoad, figureRows, remarks }, { disposeAll }, { removeLeftOvers }] = await Promise.all([
    import('../comparison/compare.js'),
    import('../comparison/report-table.js'),
    import('../scratch/owned.js'),
    import('../scratch/scratch.js'),
  ]);
  const signal = io.interrupted();
  const interrupted = new Promise<'interrupted'>((resolve) =>
    signal.addEventListener('abort', () => resolve('interrupted'), { once: true }),
  );
  const progress = comparisonProgress(io, options.keep === true);
  const work = (async () => {
    for (const name of await removeLeftOvers('compare', servers))
      io.note(`removed ${name}, which a run that was killed had left`);
    return compare(comparison, servers, progress);
  })();
  let report;
  try {
    report = await Promise.race([work, interrupted]);
  } catch (error) {
    if (error instanceof StartupError || error instanceof InputError) throw error;
    throw new CommandError(EXIT.failed, `the comparison broke off: ${messageOf(error)}`);
  } finally {
    progress.stop();
    // What goes on until its database is gone fails, and nobody waits for it any more.
    work.catch(() => undefined);
    if (!(await disposeAll())) io.note('amr: the next run removes what is left');
  }
  if (report === 'interrupted')
    throw new CommandError(EXIT.interrupted, 'interrupted; databases and queues are removed');

  io.out(describeLoad(report));
  io.out('');
  for (const line of tableLines(['', ...report.strategies.map(({ strategy }) => strategy)], figureRows(report)))
    io.out(line);
  io.out('');
  for (const remark of remarks(report)) io.out(remark);
  if (options.json !== undefined) await write(options.json, `${JSON.stringify(report, null, 2)}\n`);
  if (options.html !== undefined) {
    const { renderHtml } = await import('../comparison/report-html.js');
    await write(options.html, renderHtml(report));
  }
  if (!report.statesAgree)
    throw new CommandError(EXIT.failed, 'a strategy did not store what was expected; see above, and look with --keep');
}

function serversOf(io: CliIo): Servers {
  const { databaseUrl, amqpUrl } = loadConfig(io.env);
  if (databaseUrl === undefined)
    throw new StartupError('DATABASE_URL is not set. Set it to postgresql://user:password@host:5432/database.');
  if (amqpUrl.startsWith('memory:'))
    throw new StartupError(
      'AMQP_URL is not set to a RabbitMQ, and ingesters are processes of their own. Set it to amqp://user:password@host:5672.',
    );
  return { databaseUrl, amqpUrl };
}

async function comparisonOf(file: string | undefined, options: CompareOptions, io: CliIo): Promise<Comparison> {
  if (options.late + options.shuffle > 1)
    throw new InputError('BAD_USER_INPUT', '--late and --shuffle together may not be more than 1.');
  const { readCsv } = await import('../comparison/csv-readings.js');
  const { generateReadings } = await import('../comparison/generated-readings.js');
  const source =
    file === undefined
      ? generateReadings({
          meters: 1_000,
          intervalSeconds: 900,
          ...definedOnly(options),
          readings: options.readings,
          seed: options.seed,
        })
      : await readCsv(file, options);
  const meters = options.meters ?? source.meters.length;
  const intervalSeconds = options.interval ?? source.intervalSeconds;
  return {
    source,
    series: options.series,
    unit: options.unit,
    perMessage: options.perMessage,
    seed: options.seed,
    shares: options,
    rate: options.rate === 'max' ? undefined : options.rate,
    ingesters: options.ingesters,
    burstSeconds: options.burstSeconds,
    timeoutMs: options.timeout * 1000,
    environment: Object.fromEntries(
      Object.entries(io.env).flatMap(([name, value]) =>
        name.startsWith('AMR_INGEST_') && name !== 'AMR_INGEST_STRATEGY' && value !== undefined ? [[name, value]] : [],
      ),
    ),
    objectives: {
      meters,
      intervalSeconds,
      neededRate: meters / intervalSeconds,
      maxLatencyMs: options.maxLatency,
      ordering: options.ordering,
      ingesters: options.ingesters,
    },
    keep: options.keep === true,
  };
}

function definedOnly({ meters, interval }: CompareOptions) {
  return { ...(meters !== undefined && { meters }), ...(interval !== undefined && { intervalSeconds: interval }) };
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    throw new CommandError(EXIT.failed, `${file} cannot be written: ${messageOf(error)}`);
  }
}

function share(text: string): number {
  return decimal(text, 1);
}

/** More could not all stand behind another one that is not late itself. */
function lateShare(text: string): number {
  return decimal(text, 0.25);
}

function decimal(text: string, most: number): number {
  const value = Number(text);
  if (/^\d*\.?\d+$/.test(text) && value <= most) return value;
  throw new InvalidArgumentError(`It must be a share from 0 to ${most}, such as 0.05.`);
}

function rate(text: string): number | 'max' {
  const value = Number(text);
  if (text === 'max') return 'max';
  if (/^\d+(\.\d+)?$/.test(text) && value >= 1 && value <= 1_000_000) return value;
  throw new InvalidArgumentError('It must be readings per second from 1 to 1000000, or max.');
}

function columnNames(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.length === 3 && names.every((name) => name !== '')) return names;
  throw new InvalidArgumentError('It must be three names, of meter, timestamp and value: meter_id,interval_ts,kwh.');
}
