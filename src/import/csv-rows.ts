import { createReadStream } from 'node:fs';
import { pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { parse, type CsvError } from 'csv-parse';
import { messageOf, StartupError } from '../errors.js';
import type { ImportProfile } from './profile.js';

/** A longer row is the sign of a quote that is never closed. */
const MAX_ROW_BYTES = 1_000_000;

export interface CsvRow {
  /** Of the file, from 1; of a row of several lines the last. */
  line: number;
  cells: string[];
}

/** A file that cannot be read on from here. What was read before it stands. */
export class BrokenFileError extends Error {
  override readonly name = 'BrokenFileError';
}

/**
 * The rows of a CSV file that is plain or packed by gzip, header line included, one at a time; `-` is stdin. Blank lines are passed over.
 * @throws StartupError when it cannot be opened, BrokenFileError when it ends in the middle or is no CSV
 */
export async function* csvRows(
  file: string,
  { delimiter, encoding, skipLines }: Pick<ImportProfile, 'delimiter' | 'encoding' | 'skipLines'>,
  onBytes: (bytes: number) => void = () => undefined,
): AsyncGenerator<CsvRow, void, void> {
  const source: Readable = file === '-' ? process.stdin : createReadStream(file);
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let first: IteratorResult<Buffer>;
  try {
    first = await chunks.next();
  } catch (error) {
    throw new StartupError(`${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  const bytes = Readable.from(withFirst(first, chunks, onBytes), { objectMode: false });
  const parser = parse({
    delimiter,
    encoding,
    bom: true,
    info: true,
    from_line: skipLines + 1,
    max_record_size: MAX_ROW_BYTES,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    skip_records_with_empty_values: true,
  });
  const packed = !first.done && first.value[0] === 0x1f && first.value[1] === 0x8b;
  const steps: Transform[] = packed ? [createGunzip(), parser] : [parser];
  pipeline([bytes, ...steps], () => undefined);
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
      yield { line: info.lines, cells: record };
    }
  } catch (error) {
    const lines = (error as CsvError & { lines?: number }).lines;
    const place = lines === undefined ? '' : ` at line ${lines}`;
    throw new BrokenFileError(`${file} cannot be read on${place}: ${messageOf(error)}`, { cause: error });
  } finally {
    source.destroy();
  }
}

async function* withFirst(
  first: IteratorResult<Buffer>,
  rest: AsyncIterator<Buffer>,
  onBytes: (bytes: number) => void,
) {
  for (let chunk = first; !chunk.done; chunk = await rest.next()) {
    onBytes(chunk.value.length);
    yield chunk.value;
  }
}
