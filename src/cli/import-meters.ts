import { statSync } from 'node:fs';
import { SingleBar } from 'cli-progress';
import { InvalidArgumentError, type Command } from 'commander';
import { GraphqlRequestError, type GraphqlClient } from '../graphql/client.js';
import { ConnectionLostError } from '../graphql/client-subscription.js';
import { ImportMeterDevicesDocument } from '../graphql/generated/graphql.js';
import { BrokenFileError } from '../import/csv-rows.js';
import { ErrorsFile } from '../import/errors-file.js';
import { importMeterFile, type MeterFileCounts, type MeterFileOptions } from '../import/meter-file.js';
import { METER_COLUMNS } from '../import/meter-rows.js';
import { backoff, pause } from '../retry.js';
import { withClient } from './client.js';
import { CommandError, EXIT, type CliIo } from './io.js';
import { apiUrl, collected, DEFAULT_URL, TOKEN_HELP, wholeNumber } from './options.js';

const ERRORS_SHOWN = 20;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;
/** An API that is away longer in the middle ends the import. */
const PATIENCE_MS = 120_000;

interface ImportMetersOptions {
  dryRun?: boolean;
  delimiter: string;
  ignore: readonly string[];
  batch: number;
  errors?: string;
  url: string;
  token?: string;
}

export function addImportMeters(program: Command, io: CliIo): void {
  program
    .command('import-meters')
    .description(
      'Register or update the meters of a CSV file, plain or packed by gzip; the same file again changes nothing',
    )
    .argument('<file>', 'the file; - for stdin')
    .option('--dry-run', 'only check the file against what is there; nothing is changed')
    .option('--delimiter <character>', 'what stands between cells: a character, or tab', delimiter, ',')
    .option('--ignore <column>', 'pass over a column; may be given several times', collected, [])
    .option('--batch <number>', 'rows sent at once', wholeNumber(1, 10_000), 1_000)
    .option('--errors <file>', 'where all errors go (default: FILE.errors.csv)')
    .option('--url <url>', "the API's address", apiUrl, DEFAULT_URL)
    .option('--token <token>', TOKEN_HELP)
    .addHelpText(
      'after',
      `
Columns, named in the header line: ${METER_COLUMNS.join(', ')}.
A meter is found by externalReference, else by name. Blank cells change nothing. See docs/import.md.

Exit codes: 0 all is in, 1 some rows have errors, 2 wrong usage, 3 the API cannot be reached, 130 interrupted.

Examples:
  $ amr import-meters meters.csv --dry-run
  $ amr import-meters meters.csv --delimiter ";" --ignore remarks`,
    )
    .action(async (file: string, options: ImportMetersOptions) => {
      await withClient(options, io, (client) => runImportMeters(client, file, options, io));
    });
}

function delimiter(text: string): string {
  if (text === 'tab') return '\t';
  if (text.length === 1 && !/["\r\n]/.test(text)) return text;
  throw new InvalidArgumentError('It must be one character, such as ";", or tab.');
}

async function runImportMeters(
  client: GraphqlClient,
  file: string,
  { dryRun = false, delimiter, ignore, batch, errors: errorsPath, url }: ImportMetersOptions,
  io: CliIo,
): Promise<void> {
  const isStdin = file === '-';
  const errors = new ErrorsFile(errorsPath ?? `${isStdin ? 'stdin' : file}.errors.csv`);
  const signal = io.interrupted();
  const report = progress(io, isStdin ? undefined : statSync(file, { throwIfNoEntry: false })?.size);
  const startedAt = performance.now();
  let shown = 0;
  let counts: MeterFileCounts | undefined;
  let broken: BrokenFileError | undefined;
  try {
    counts = await importMeterFile({
      ...{ file, delimiter, ignored: ignore, batch, signal },
      send: sender(client, dryRun, signal),
      onError: (line, error) => {
        errors.add(line, error);
        const { column, text, problem } = error;
        if (++shown <= ERRORS_SHOWN)
          io.note(`line ${line}${column && `, ${column}`}: ${text && `${JSON.stringify(text)} `}${problem}`);
        else if (shown === ERRORS_SHOWN + 1) io.note(`More errors are in ${errors.path}.`);
      },
      onProgress: (now) => report.show((counts = now)),
      onBytes: (bytes) => report.advance(bytes),
    });
  } catch (error) {
    if (!(error instanceof BrokenFileError)) throw error;
    broken = error;
  } finally {
    report.stop();
    errors.close();
  }
  if (counts) io.out(summary(counts, dryRun, performance.now() - startedAt));
  if (signal.aborted) {
    throw new CommandError(EXIT.interrupted, 'Interrupted. Start the same command again: what is in stays as it is.');
  }
  if (broken)
    throw new CommandError(
      EXIT.failed,
      `${broken.message}. What came before it was ${dryRun ? 'checked' : 'imported'}.`,
    );
  if (shown > 0) {
    const others = dryRun ? `were right; nothing was changed at ${url}` : 'are in';
    throw new CommandError(
      EXIT.failed,
      `${counts!.wrongRows} rows have errors, see ${errors.path}; the others ${others}.`,
    );
  }
}

/** Once the API has answered, its absence is waited for: sending again what may be in is harmless. */
function sender(client: GraphqlClient, dryRun: boolean, signal: AbortSignal): MeterFileOptions['send'] {
  let answered = false;
  return async (items) => {
    const delays = backoff(RETRY_FIRST_MS, RETRY_MAX_MS);
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        const { importMeterDevices: result } = await client.request(ImportMeterDevicesDocument, {
          input: { items, dryRun },
        });
        answered = true;
        return {
          unchanged: result.unchanged,
          items: result.items.map(({ index, created, errorField, errorMessage }) => ({
            ...{ index, created },
            errorField: errorField ?? undefined,
            errorMessage: errorMessage ?? undefined,
          })),
        };
      } catch (error) {
        if (!answered || !isPassing(error) || performance.now() > deadline || signal.aborted) throw error;
        await pause(delays.next().value, signal);
      }
    }
  };
}

function isPassing(error: unknown): boolean {
  return (
    error instanceof ConnectionLostError ||
    (error instanceof GraphqlRequestError && error.code === 'INTERNAL_SERVER_ERROR')
  );
}

function summary(
  { rows, created, updated, unchanged, wrongRows }: MeterFileCounts,
  dryRun: boolean,
  tookMs: number,
): string {
  const rate = Math.round(rows / Math.max(tookMs / 1000, 0.001));
  const would = dryRun ? ' (dry run)' : '';
  return `rows ${rows}, created ${created}, updated ${updated - unchanged}, unchanged ${unchanged}, with errors ${wrongRows}${would}; ${(tookMs / 1000).toFixed(1)} s, ${rate} rows/s`;
}

interface Progress {
  show(counts: MeterFileCounts): void;
  advance(bytes: number): void;
  stop(): void;
}

/** A bar on a terminal, else a line every few seconds. */
function progress(io: CliIo, bytes: number | undefined): Progress {
  if (!bytes || !process.stderr.isTTY) {
    let toldAt = performance.now();
    const show = ({ rows, wrongRows }: MeterFileCounts) => {
      if (performance.now() - toldAt < 5_000) return;
      toldAt = performance.now();
      io.note(`${rows} rows, ${wrongRows} with errors so far`);
    };
    return { show, advance: () => undefined, stop: () => undefined };
  }
  const bar = new SingleBar({
    format: '{bar} {percentage}% | {rows} rows | {wrongRows} with errors | {duration_formatted}',
    stream: process.stderr,
    hideCursor: true,
  });
  bar.start(bytes, 0, { rows: 0, wrongRows: 0 });
  return {
    show: ({ rows, wrongRows }) => bar.update({ rows, wrongRows }),
    advance: (read) => bar.increment(read),
    stop: () => bar.stop(),
  };
}
