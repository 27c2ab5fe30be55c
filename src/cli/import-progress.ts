import { SingleBar } from 'cli-progress';
import type { ImportCounts } from '../import/import-file.js';
import type { CliIo } from './io.js';

const LINE_EVERY_MS = 5_000;

/** Shows how far an import is: a bar on a terminal, else a line every few seconds. */
export interface ProgressReport {
  show(counts: ImportCounts): void;
  /** So many bytes of the file more were read. */
  advance(bytes: number): void;
  stop(): void;
}

/** @param bytes size of the file; undefined where it is not known */
export function progressReport(io: CliIo, bytes: number | undefined): ProgressReport {
  return bytes !== undefined && bytes > 0 && process.stderr.isTTY ? bar(bytes) : lines(io);
}

function bar(total: number): ProgressReport {
  const line = new SingleBar({
    format: '{bar} {percentage}% | {rows} rows | {readings} readings | {wrongRows} with errors | {duration_formatted}',
    stream: process.stderr,
    hideCursor: true,
    etaBuffer: 100,
  });
  line.start(total, 0, { rows: 0, readings: 0, wrongRows: 0 });
  return {
    show: ({ rows, readings, wrongRows }) => line.update({ rows, readings, wrongRows }),
    advance: (bytes) => line.increment(bytes),
    stop: () => line.stop(),
  };
}

function lines(io: CliIo): ProgressReport {
  let toldAt = performance.now();
  return {
    show: ({ rows, readings, wrongRows }) => {
      if (performance.now() - toldAt < LINE_EVERY_MS) return;
      toldAt = performance.now();
      io.note(`${rows} rows, ${readings} readings, ${wrongRows} rows with errors so far`);
    },
    advance: () => undefined,
    stop: () => undefined,
  };
}
