import { csvRows, type CsvRow } from './csv-rows.js';
import { MeterRowReader, type MeterItem } from './meter-rows.js';
import type { RowError } from './row-reader.js';

/** A request holds 1 MB; the rest is for its frame. */
const MAX_BATCH_BYTES = 900_000;

/** What became of one meter that was sent, by its place. */
export interface MeterOutcome {
  index: number;
  created: boolean;
  /** Such as `input.items.3.timeZone`; undefined where it is in. */
  errorField: string | undefined;
  errorMessage: string | undefined;
}

export interface MeterFileOptions {
  file: string;
  delimiter: string;
  ignored: readonly string[];
  /** Rows sent at once, at most. */
  batch: number;
  send: (items: MeterItem[]) => Promise<{ items: MeterOutcome[]; unchanged: number }>;
  onError: (line: number, error: RowError) => void;
  onProgress: (counts: MeterFileCounts) => void;
  onBytes: (bytes: number) => void;
  /** Between two batches. */
  signal: AbortSignal;
}

export interface MeterFileCounts {
  rows: number;
  created: number;
  updated: number;
  /** Of those updated. */
  unchanged: number;
  wrongRows: number;
}

interface Batch {
  readonly items: MeterItem[];
  readonly rows: CsvRow[];
  bytes: number;
}

/**
 * Sends the meters of a CSV file, a batch at a time, in its order. Sending a file again is harmless, so nothing is kept of how far it came.
 * @throws StartupError for a header that cannot be used, BrokenFileError when the file ends in the middle or is no CSV
 */
export async function importMeterFile(options: MeterFileOptions): Promise<MeterFileCounts> {
  const { file, delimiter, ignored, batch: size, signal } = options;
  const counts: MeterFileCounts = { rows: 0, created: 0, updated: 0, unchanged: 0, wrongRows: 0 };
  let reader: MeterRowReader | undefined;
  let batch: Batch = { items: [], rows: [], bytes: 0 };
  const flush = async () => {
    const full = batch;
    batch = { items: [], rows: [], bytes: 0 };
    if (full.items.length > 0) await sendBatch(full, reader!, counts, options);
  };
  try {
    for await (const row of csvRows(file, { delimiter, encoding: 'utf8', skipLines: 0 }, options.onBytes)) {
      if (reader === undefined) {
        reader = new MeterRowReader(row.cells, delimiter, ignored);
        continue;
      }
      counts.rows++;
      const read = reader.read(row.line, row.cells);
      if ('errors' in read) {
        counts.wrongRows++;
        for (const error of read.errors) options.onError(row.line, error);
        continue;
      }
      const bytes = Buffer.byteLength(JSON.stringify(read.item));
      if (batch.items.length === size || batch.bytes + bytes > MAX_BATCH_BYTES) await flush();
      if (signal.aborted) return counts;
      batch.items.push(read.item);
      batch.rows.push(row);
      batch.bytes += bytes;
    }
  } finally {
    // What was read before a file breaks off goes in, as with readings.
    if (!signal.aborted && reader) await flush();
  }
  return counts;
}

async function sendBatch(
  { items, rows }: Batch,
  reader: MeterRowReader,
  counts: MeterFileCounts,
  { send, onError, onProgress }: MeterFileOptions,
): Promise<void> {
  const answer = await send(items);
  for (const { index, created, errorField, errorMessage } of answer.items) {
    const row = rows[index]!;
    if (errorMessage === undefined) {
      counts[created ? 'created' : 'updated']++;
      continue;
    }
    counts.wrongRows++;
    const field = errorField?.replace(/^input\.items\.\d+\.?/, '') ?? '';
    const problem = errorMessage
      .replace(`${errorField} `, '')
      .replace(/\bitem (\d+) of this call/, (_, place: string) => `line ${rows[Number(place)]?.line ?? '?'}`);
    onError(row.line, reader.errorOf(field, problem, row.cells));
  }
  counts.unchanged += answer.unchanged;
  onProgress(counts);
}
