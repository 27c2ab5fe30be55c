import { Counter, Gauge, Histogram } from 'prom-client';
import { IngestStep } from '../../domain/enums.js';
import { messageOf } from '../../errors.js';
import { metrics } from '../../telemetry.js';

/** In the order of the graph. */
const STEPS = Object.values(IngestStep);

const labels: { labelNames: 'step'[]; registers: (typeof metrics)[] } = { labelNames: ['step'], registers: [metrics] };
const seconds = new Histogram({
  name: 'amr_ingest_step_seconds',
  help: 'Duration of a step for one batch.',
  buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
  ...labels,
});
const readings = new Counter({
  name: 'amr_ingest_step_readings_total',
  help: 'Readings a step was done for.',
  ...labels,
});
const errors = new Counter({ name: 'amr_ingest_step_errors_total', help: 'Times a step failed.', ...labels });
const inFlight = new Gauge({ name: 'amr_ingest_step_in_flight', help: 'Batches within a step now.', ...labels });

/** Durations kept for the percentiles of the status. */
const KEPT = 512;

/** How a step has been doing since the start of the process. Times in milliseconds. */
export interface StepStatus {
  step: IngestStep;
  batches: number;
  readings: number;
  errors: number;
  inFlight: number;
  /** Of the last 512 batches; null without any. */
  p50Ms: number | null;
  p95Ms: number | null;
  /** Spent in the step in all. */
  totalMs: number;
  lastError: { message: string; at: string } | null;
}

/** Measures one named step of the ingestion graph. */
export class Step {
  private readonly durations: number[] = [];
  private batches = 0;
  private handled = 0;
  private failed = 0;
  private inside = 0;
  private totalMs = 0;
  private lastError: StepStatus['lastError'] = null;

  constructor(readonly name: IngestStep) {}

  /** Begins with the step for one batch; say how it ended, once. */
  begin(): { done: (count: number) => void; failed: (error: unknown) => void } {
    const started = performance.now();
    this.inside++;
    inFlight.inc({ step: this.name });
    const leave = () => {
      this.inside--;
      inFlight.dec({ step: this.name });
    };
    return {
      done: (count) => {
        leave();
        this.record(performance.now() - started, count);
      },
      failed: (error) => {
        leave();
        this.failed++;
        this.lastError = { message: messageOf(error).slice(0, 500), at: new Date().toISOString() };
        errors.inc({ step: this.name });
      },
    };
  }

  /** Does the step for `count` readings. */
  async run<T>(count: number, work: () => Promise<T>): Promise<T> {
    const { done, failed } = this.begin();
    try {
      const result = await work();
      done(count);
      return result;
    } catch (error) {
      failed(error);
      throw error;
    }
  }

  status(): StepStatus {
    const sorted = [...this.durations].sort((a, b) => a - b);
    const percentile = (share: number) => {
      const ms = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
      return ms === undefined ? null : rounded(ms);
    };
    return {
      step: this.name,
      batches: this.batches,
      readings: this.handled,
      errors: this.failed,
      inFlight: this.inside,
      p50Ms: percentile(0.5),
      p95Ms: percentile(0.95),
      totalMs: rounded(this.totalMs),
      lastError: this.lastError,
    };
  }

  private record(ms: number, count: number): void {
    this.durations[this.batches % KEPT] = ms;
    this.batches++;
    this.handled += count;
    this.totalMs += ms;
    seconds.observe({ step: this.name }, ms / 1000);
    readings.inc({ step: this.name }, count);
  }
}

/** The steps of one process. */
export class IngestGraph {
  readonly validate = new Step(IngestStep.VALIDATE);
  readonly enrich = new Step(IngestStep.ENRICH);
  readonly store = new Step(IngestStep.STORE);
  readonly dispatch = new Step(IngestStep.DISPATCH);

  status(): StepStatus[] {
    return STEPS.map((name) => this[name].status());
  }
}

/** To what is worth reading. */
function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
