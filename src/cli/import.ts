import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { InvalidArgumentError, type Command } from 'commander';
import { parseInstant } from '../domain/instant.js';
import { messageOf, StartupError } from '../errors.js';
import { BrokenFileError } from '../import/csv-rows.js';
import type { ImportIdentity } from '../import/delivery.js';
import { ErrorsFile } from '../import/errors-file.js';
import { digestOf, importFile, settingsOf, type ImportCounts } from '../import/import-file.js';
import { builtInProfiles, loadProfile } from '../import/profiles.js';
import { ProgressFile, type Progress } from '../import/progress-file.js';
import { PublishError } from '../messaging/broker.js';
import { tokenOf, withClient } from './client.js';
import { openDestination } from './import-destination.js';
import { progressReport } from './import-progress.js';
import { CommandError, EXIT, type CliIo } from './io.js';
import { apiUrl, DEFAULT_URL, TOKEN_HELP, wholeNumber } from './options.js';
import { tableLines } from './table.js';

const ERRORS_SHOWN = 20;
const UNKNOWN_METERS_NAMED = 10;

interface ImportCommandOptions {
  profile?: string;
  list?: boolean;
  meter?: string;
  dryRun?: boolean;
  resume?: boolean;
  restart?: boolean;
  limit?: number;
  errors?: string;
  progress?: string;
  collectedAt?: string;
  createMeters?: boolean;
  url: string;
  token?: string;
}

export function addImport(program: Command, io: CliIo): void {
  program
    .command('import')
    .description('Import the readings of a CSV file, plain or packed by gzip; interrupted, it goes on where it was')
    .argument('[file]', 'the file; - for stdin')
    .option('--profile <name>', 'how to read it: a built-in profile, or a file ending in .json (docs/import.md)')
    .option('--list', 'list the built-in profiles')
    .option('--meter <name>', 'all readings are of this meter')
    .option('--dry-run', 'only check the file; nothing is sent')
    .option('--resume', 'insist on going on with an interrupted import')
    .option('--restart', 'forget how far an interrupted import came')
    .option('--limit <number>', 'read so many rows at most', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--errors <file>', 'where all errors go (default: FILE.errors.csv)')
    .option('--progress <file>', 'where the progress is kept (default: FILE.progress.json)')
    .option('--collected-at <time>', 'when the file was made, with an offset (default: its time of change)', instant)
    .option('--create-meters', 'register meters that are not, at the API')
    .option(
      '--url <url>',
      "the API's address; used where AMQP_URL is not set, and to register meters",
      apiUrl,
      DEFAULT_URL,
    )
    .option('--token <token>', TOKEN_HELP)
    .addHelpText(
      'after',
      `
Exit codes: 0 all is in, 1 some rows have errors or not all could be sent, 2 wrong usage, 3 the API cannot be reached.

Examples:
  $ amr import --list
  $ amr import readings.csv.gz --profile london-lcl --create-meters
  $ amr import P1e-2022-9-1.csv --profile homewizard-electricity --meter HOME-1 --dry-run`,
    )
    .action(async (file: string | undefined, options: ImportCommandOptions) => {
      if (options.list) return listProfiles(io);
      if (file === undefined) throw new CommandError(EXIT.usage, 'Name the file to import; - is stdin.');
      if (options.profile === undefined)
        throw new CommandError(EXIT.usage, 'Name a --profile; `amr import --list` shows the built-in ones.');
      await withClient(options, io, () => runImport(file, options, io));
    });
}

function instant(text: string): string {
  const ms = parseInstant(text);
  if (ms === undefined)
    throw new InvalidArgumentError('It must be a time with an offset such as 2026-01-31T00:00:00Z.');
  return new Date(ms).toISOString();
}

function listProfiles(io: CliIo): void {
  const rows = builtInProfiles().map((name) => [name, loadProfile(name).description] as const);
  for (const line of tableLines(['PROFILE', 'FILES'], rows)) io.out(line);
}

async function runImport(file: string, options: ImportCommandOptions, io: CliIo): Promise<void> {
  const profile = loadProfile(options.profile!);
  const { meter, limit } = options;
  const isStdin = file === '-';
  const progressFile =
    isStdin || options.dryRun ? undefined : new ProgressFile(options.progress ?? `${file}.progress.json`);
  const settings = settingsOf(profile, meter, limit);
  // Of stdin nobody knows the whole before it has ended: each such import has messages of its own.
  const digest = isStdin ? randomBytes(32).toString('hex') : await digestOf(file);
  const earlier = earlierTry(progressFile, { digest, settings }, options);
  const collectedAt =
    earlier?.collectedAt ?? options.collectedAt ?? (isStdin ? new Date() : statSync(file).mtime).toISOString();
  const identity: ImportIdentity = { digest, settings, collectedAt };
  if (earlier) io.note(`Going on behind ${earlier.rows} rows that are in.`);

  const errors = new ErrorsFile(options.errors ?? `${isStdin ? 'stdin' : file}.errors.csv`);
  const unknown: string[] = [];
  const signal = io.interrupted();
  const destination = options.dryRun
    ? undefined
    : await openDestination({
        env: io.env,
        url: options.url,
        token: tokenOf(options, io),
        createMeters: options.createMeters ? { timeZone: profile.timestamp.zone ?? 'UTC' } : undefined,
        onUnknownMeter: (name) => void unknown.push(name),
      });
  const report = progressReport(io, isStdin ? undefined : statSync(file).size);
  let shown = 0;
  const startedAt = performance.now();
  let broken: BrokenFileError | undefined;
  let counts: ImportCounts | undefined;
  try {
    counts = await importFile({
      ...{ file, profile, meter, limit, identity, destination, signal },
      startAt: earlier,
      onError: (line, error) => {
        errors.add(line, error);
        if (++shown <= ERRORS_SHOWN) {
          const { column, text, problem } = error;
          io.note(`line ${line}${column && `, ${column}`}: ${JSON.stringify(text)} ${problem}`);
        } else if (shown === ERRORS_SHOWN + 1) io.note(`More errors are in ${errors.path}.`);
      },
      onProgress: (now) => report.show((counts = now)),
      onBytes: (bytes) => report.advance(bytes),
      save: (progress) => progressFile?.save(progress),
    });
  } catch (error) {
    if (error instanceof PublishError) {
      throw new CommandError(EXIT.failed, `${messageOf(error)}. Start the same command again: it goes on from here.`);
    }
    if (!(error instanceof BrokenFileError)) throw error;
    broken = error;
  } finally {
    report.stop();
    errors.close();
    await destination?.close();
  }
  if (counts) for (const line of summary(counts, performance.now() - startedAt, destination?.description)) io.out(line);
  noteMeters(io, unknown, destination !== undefined && !options.createMeters);
  if (signal.aborted) throw new CommandError(EXIT.interrupted, 'Interrupted. The same command goes on from here.');
  if (broken) throw new CommandError(EXIT.failed, `${broken.message}. What came before it was imported.`);
  progressFile?.remove();
  if (shown > 0) {
    throw new CommandError(
      EXIT.failed,
      `${counts!.wrongRows} rows have errors, see ${errors.path}; the others were ${options.dryRun ? 'right' : 'imported'}.`,
    );
  }
}

/** How far an interrupted import of the same file in the same way has come; undefined to start from the first row. */
function earlierTry(
  progressFile: ProgressFile | undefined,
  { digest, settings }: Pick<ImportIdentity, 'digest' | 'settings'>,
  { resume, restart }: ImportCommandOptions,
): Progress | undefined {
  if (resume && restart) throw new StartupError('--resume and --restart exclude each other. Give one of them.');
  const found = restart ? undefined : progressFile?.load();
  // Nothing of it was sent: there is nothing to go on with, nor to protect.
  const earlier = found?.messages === 0 ? undefined : found;
  if (!earlier) {
    if (resume)
      throw new StartupError(
        `There is no interrupted import to go on with${progressFile ? `: ${progressFile.path} does not exist` : ''}.`,
      );
    return undefined;
  }
  if (earlier.digest === digest && earlier.settings === settings) return earlier;
  const changed = earlier.digest === digest ? 'the profile, --meter or --limit' : 'the file';
  throw new StartupError(
    `${progressFile!.path} is of an interrupted import, but ${changed} has changed since. Start anew with --restart.`,
  );
}

function summary(counts: ImportCounts, tookMs: number, destination: string | undefined): string[] {
  const { rows, readings, confirmed, before, blanks, leftOut, wrongRows, meters } = counts;
  const rate = Math.round(rows / Math.max(tookMs / 1000, 0.001));
  return [
    `rows ${rows}, readings ${readings} of ${meters} meters, blank values ${blanks}, rows left out ${leftOut}, rows with errors ${wrongRows}`,
    destination === undefined
      ? `checked in ${(tookMs / 1000).toFixed(1)} s (${rate} rows/s); nothing was sent`
      : `sent and confirmed ${confirmed} readings${before > 0 ? `, ${before} in an earlier try` : ''}, to ${destination}, in ${(tookMs / 1000).toFixed(1)} s (${rate} rows/s)`,
  ];
}

function noteMeters(io: CliIo, unknown: readonly string[], maybeUnknown: boolean): void {
  const cure = 'their readings wait 30 days for them. --create-meters registers them';
  if (unknown.length > 0) {
    const named = unknown.slice(0, UNKNOWN_METERS_NAMED).join(', ');
    io.note(
      `${unknown.length} meters are not registered (${named}${unknown.length > UNKNOWN_METERS_NAMED ? ', …' : ''}): ${cure}.`,
    );
  } else if (maybeUnknown) io.note(`Where meters are not registered, ${cure}.`);
}
