import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { StartupError, messageOf } from '../errors.js';
import { Bundler, type Bundle } from './bundler.js';
import { csvRows } from './csv-rows.js';
import { Delivery, type Destination, type ImportIdentity } from './delivery.js';
import type { ImportProfile } from './profile.js';
import type { Progress } from './progress-file.js';
import { RowReader, type RowError } from './row-reader.js';

const SAVE_EVERY_MS = 1_000;

export interface ImportOptions {
  file: string;
  profile: ImportProfile;
  /** All readings are of this meter, whatever the profile says. */
  meter?: string;
  /** Rows to read, at most. */
  limit?: number;
  identity: ImportIdentity;
  /** Undefined: the file is only checked. */
  destination?: Destination;
  /** Where to go on; the file is read from the start all the same, as its repeated hour and messages depend on it. */
  startAt?: { messages: number; rows: number };
  signal: AbortSignal;
  onError: (line: number, error: RowError) => void;
  onProgress?: (counts: ImportCounts) => void;
  onBytes?: (bytes: number) => void;
  save?: (progress: Progress) => void;
}

export interface ImportCounts {
  rows: number;
  /** In the file, whether sent before or now. */
  readings: number;
  /** Confirmed by now, of this process. */
  confirmed: number;
  /** Confirmed in an earlier try. */
  before: number;
  blanks: number;
  leftOut: number;
  /** Rows with at least one error. */
  wrongRows: number;
  meters: number;
}

/**
 * Reads a file and sends its readings. An abort ends it after what is in flight.
 * @throws StartupError when the file or the profile cannot be used, BrokenFileError when it ends in the middle; what came
 * before is sent and confirmed then
 */
export async function importFile(options: ImportOptions): Promise<ImportCounts> {
  const { destination, identity, startAt = { messages: 0, rows: 0 }, signal } = options;
  const counts: ImportCounts = {
    rows: 0,
    readings: 0,
    confirmed: 0,
    before: 0,
    blanks: 0,
    leftOut: 0,
    wrongRows: 0,
    meters: 0,
  };
  const meters = new Set<string>();
  const bundler = new Bundler();
  const delivery = destination && new Delivery(destination, identity, signal, startAt);
  let savedAt = performance.now();
  const save = () => {
    if (!delivery) return;
    counts.confirmed = delivery.readingsConfirmed;
    options.save?.({ version: 1, ...identity, messages: delivery.confirmed, rows: delivery.rowsConfirmed });
    savedAt = performance.now();
  };
  const offer = async (bundles: readonly Bundle[]) => {
    for (const bundle of bundles) {
      meters.add(bundle.meter);
      counts.meters = meters.size;
      if (bundle.index < startAt.messages) counts.before += bundle.readings.length;
      else await delivery?.offer(bundle);
      if (delivery && performance.now() - savedAt > SAVE_EVERY_MS) save();
      options.onProgress?.(counts);
      if (signal.aborted) return;
    }
  };
  try {
    try {
      await readRows(options, counts, async (readings) => {
        const bundles = bundler.add(counts.rows, readings);
        if (bundles.length > 0) await offer(bundles);
      });
    } finally {
      // Also of a file that breaks off: what was read before stands.
      if (!signal.aborted) await offer(bundler.rest(counts.rows));
    }
    await delivery?.settle();
  } finally {
    await delivery?.settle().catch(() => undefined);
    save();
  }
  options.onProgress?.(counts);
  return counts;
}

async function readRows(
  { file, profile, meter, limit = Infinity, signal, onError, onBytes }: ImportOptions,
  counts: ImportCounts,
  take: (readings: ReturnType<RowReader['read']>['readings']) => Promise<void>,
): Promise<void> {
  let reader: RowReader | undefined = profile.header && new RowReader(profile, profile.header, meter);
  for await (const { line, cells } of csvRows(file, profile, onBytes)) {
    if (!reader) {
      reader = new RowReader(
        profile,
        cells.map((name) => name.trim()),
        meter,
      );
      continue;
    }
    if (counts.rows >= limit || signal.aborted) return;
    counts.rows++;
    const { readings, errors, blanks, isLeftOut } = reader.read(cells);
    counts.readings += readings.length;
    counts.blanks += blanks;
    if (isLeftOut) counts.leftOut++;
    if (errors.length > 0) counts.wrongRows++;
    for (const error of errors) onError(line, error);
    if (readings.length > 0) await take(readings);
  }
  if (!reader) throw new StartupError(`${file} is empty: it has no header line.`);
}

/** SHA-256 of a file, hex. Throws `StartupError` when it cannot be read. */
export async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  } catch (error) {
    throw new StartupError(`${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  return hash.digest('hex');
}

/** What decides, beside the file, what its messages hold: an import goes on only with the same. */
export function settingsOf(profile: ImportProfile, meter: string | undefined, limit: number | undefined): string {
  return createHash('sha256')
    .update(JSON.stringify([profile, meter ?? null, limit ?? null]))
    .digest('hex')
    .slice(0, 16);
}
