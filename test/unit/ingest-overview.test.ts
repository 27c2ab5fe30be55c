import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IngestStep, IngestStrategy, WorkerState } from '../../src/domain/enums.js';
import { overviewOf, type ReportedIngester } from '../../src/services/ingest/overview.js';
import { readIngestStatus, type IngestStatus } from '../../src/services/ingest/status.js';

const step = (name: IngestStep, totalMs: number, lastError: IngestStatus['steps'][number]['lastError'] = null) => ({
  ...{ step: name, batches: 1, readings: 1, errors: lastError ? 1 : 0, inFlight: 0, p50Ms: totalMs, p95Ms: totalMs },
  ...{ totalMs, lastError },
});
const steps = (...totals: number[]) => Object.values(IngestStep).map((name, index) => step(name, totals[index] ?? 0));
const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
const ingester = (id: string, changes: Partial<ReportedIngester> = {}, status: Partial<IngestStatus> = {}) => ({
  ...{ id, host: 'north', pid: 1, version: '1', state: WorkerState.ACTIVE, startedAt: at(0), lastSeenAt: at(0) },
  status: {
    ...{
      strategy: IngestStrategy.HYBRID,
      isWorking: true,
      backlog: 0,
      readingsPerSecond: 100,
      steps: steps(),
      ...status,
    },
  },
  ...changes,
});

describe('the ingestion graph over all ingesters', () => {
  it('knows nothing without one', () => {
    expect(overviewOf([])).toEqual({
      ...{ backlog: null, strategy: null, readingsPerSecond: 0, slowestStep: null, lastError: null, ingesters: [] },
    });
  });

  it('takes the backlog and the strategy from the newest report of one that is active, and knows the backlog', () => {
    const { backlog, strategy } = overviewOf([
      ingester('old', { lastSeenAt: at(1) }, { backlog: 1 }),
      ingester('new', { lastSeenAt: at(3) }, { backlog: 7 }),
      ingester('newest', { lastSeenAt: at(4) }, { backlog: null, strategy: IngestStrategy.ASYNC }),
      ingester('silent', { lastSeenAt: at(9), state: WorkerState.SILENT }, { backlog: 9 }),
    ]);
    expect({ backlog, strategy }).toEqual({ backlog: 7, strategy: IngestStrategy.ASYNC });
  });

  it('has no rate and no work of a silent or stopped one', () => {
    const overview = overviewOf([
      ingester('a'),
      ingester('b'),
      ingester('silent', { state: WorkerState.SILENT }, { steps: steps(0, 0, 99) }),
      ingester('stopped', { state: WorkerState.STOPPED }, { steps: steps(0, 99) }),
    ]);
    expect(overview).toMatchObject({ readingsPerSecond: 200, slowestStep: null });
    expect(overview.ingesters.map(({ isWorking, readingsPerSecond }) => [isWorking, readingsPerSecond])).toEqual([
      ...[[true, 100], [true, 100], [false, 0], [false, 0]], // prettier-ignore
    ]);
  });

  it('finds the step that took most time over all of them', () => {
    const reported = [ingester('a', {}, { steps: steps(1, 2, 5, 4) }), ingester('b', {}, { steps: steps(1, 2, 5, 7) })];
    expect(overviewOf(reported).slowestStep).toBe(IngestStep.DISPATCH);
    expect(overviewOf(reported.slice(0, 1)).slowestStep).toBe(IngestStep.STORE);
  });

  it('tells the last error of all, also of one that stopped', () => {
    const error = (message: string, second: number) => ({ message, at: at(second).toISOString() });
    const { lastError } = overviewOf([
      ingester('a', {}, { steps: [step(IngestStep.STORE, 1, error('first', 1))] }),
      ingester('b', { state: WorkerState.STOPPED }, { steps: [step(IngestStep.ENRICH, 1, error('last', 2))] }),
    ]);
    expect(lastError).toEqual({ step: IngestStep.ENRICH, message: 'last', at: at(2), ingester: 'b' });
  });

  it('lists an ingester whose report it cannot read, without figures', () => {
    const [listed] = overviewOf([ingester('a', { status: null })]).ingesters;
    expect(listed).toMatchObject({ id: 'a', strategy: null, isWorking: false, readingsPerSecond: 0, steps: [] });
    for (const status of [null, {}, { ...ingester('a').status, strategy: 'other' }])
      expect(readIngestStatus(status)).toBeNull();
    expect(readIngestStatus(ingester('a').status)).toEqual(ingester('a').status);
  });

  it('shares of time are of the whole, whatever the times are', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 4, maxLength: 4 }), (totals) => {
        const shares = overviewOf([ingester('a', {}, { steps: steps(...totals) })]).ingesters[0]!.steps.map(
          ({ shareOfTime }) => shareOfTime,
        );
        const spent = totals.reduce((sum, ms) => sum + ms, 0);
        if (spent === 0) return expect(shares).toEqual([null, null, null, null]);
        for (const share of shares) expect(share! >= 0 && share! <= 1).toBe(true);
        expect(shares.reduce<number>((sum, share) => sum + share!, 0)).toBeCloseTo(1);
      }),
    );
  });
});
