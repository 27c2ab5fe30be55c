import { Presets, SingleBar } from 'cli-progress';
import type { ComparisonObserver } from '../comparison/compare.js';
import type { CliIo } from './io.js';

/** Tells how far a comparison is: a bar for each strategy on a terminal, else a line when one begins and ends. */
export function comparisonProgress(io: CliIo, isKept: boolean): ComparisonObserver & { stop(): void } {
  const bar = process.stderr.isTTY
    ? new SingleBar(
        {
          format: '{strategy} {bar} {value}/{total} readings, {duration_formatted}',
          clearOnComplete: true,
          hideCursor: true,
        },
        Presets.shades_classic,
      )
    : undefined;
  let isRunning = false;
  const stop = () => {
    if (isRunning) bar?.stop();
    isRunning = false;
  };
  return {
    started: (strategy, readings) => {
      if (bar) bar.start(readings, 0, { strategy: strategy.padEnd(10) });
      else io.note(`${strategy}: ${readings} readings`);
      isRunning = true;
    },
    settled: (readings) => bar?.update(readings),
    ended: ({ report, scratch }) => {
      stop();
      const { strategy, throughput } = report;
      io.note(`${strategy}: ${Math.round(throughput)} readings/s`);
      if (isKept)
        io.note(`  kept: database ${new URL(scratch.databaseUrl).pathname.slice(1)}, queues ${scratch.queuePrefix}*`);
    },
    stop,
  };
}
