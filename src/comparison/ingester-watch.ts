import { pause } from '../retry.js';
import type { AmrProcess } from '../scratch/amr-process.js';

const LOOK_MS = 100;

/** What the ingesters say of themselves, added up over them. */
export class IngesterWatch {
  /** Readings by what became of them. */
  outcomes: Record<string, number> = {};
  stepSeconds: Record<string, number> = {};
  /** Resident memory: the most that was seen, looked at every 0.1 s. */
  peakMemoryBytes = 0;
  cpuSeconds = 0;

  constructor(private readonly ingesters: readonly AmrProcess[]) {}

  /** Readings that have an outcome, whichever. */
  get accounted(): number {
    return Object.values(this.outcomes).reduce((sum, count) => sum + count, 0);
  }

  /** Looks now. Throws when an ingester has ended. */
  async look(): Promise<void> {
    const outcomes: Record<string, number> = {};
    const stepSeconds: Record<string, number> = {};
    let memory = 0;
    let cpuSeconds = 0;
    for (const series of await Promise.all(this.ingesters.map((ingester) => ingester.series()))) {
      memory += series.get('process_resident_memory_bytes') ?? 0;
      cpuSeconds += series.get('process_cpu_seconds_total') ?? 0;
      for (const [name, value] of series) {
        const [, metric, label] =
          /^(amr_ingested_readings_total|amr_ingest_step_seconds_sum)\{(?:outcome|step)="(\w+)"\}$/.exec(name) ?? [];
        if (label === undefined) continue;
        const target = metric === 'amr_ingested_readings_total' ? outcomes : stepSeconds;
        target[label] = (target[label] ?? 0) + value;
      }
    }
    Object.assign(this, { outcomes, stepSeconds, cpuSeconds });
    this.peakMemoryBytes = Math.max(this.peakMemoryBytes, memory);
  }

  /** Looks until as many readings have an outcome as `target` says; it may not know yet. False when `signal` aborts before. */
  async until(
    target: () => number | undefined,
    signal: AbortSignal,
    onLook: (accounted: number) => void,
  ): Promise<boolean> {
    for (;;) {
      await this.look();
      onLook(this.accounted);
      if (this.accounted >= (target() ?? Infinity)) return true;
      if (signal.aborted) return false;
      await pause(LOOK_MS, signal);
    }
  }
}
