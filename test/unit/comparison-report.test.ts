import { describe, expect, it } from 'vitest';
import { renderHtml } from '../../src/comparison/report-html.js';
import { describeLoad, figureRows, remarks } from '../../src/comparison/report-table.js';
import { ComparisonReport, type StrategyReport } from '../../src/comparison/report.js';
import { INGEST_STRATEGIES, type IngestStrategy } from '../../src/domain/strategy-advice.js';

const strategyReport = (strategy: IngestStrategy, changes: Partial<StrategyReport> = {}): StrategyReport => ({
  strategy,
  messages: 1_000,
  readings: 1_000,
  isSample: false,
  burstSeconds: 2,
  throughput: 500,
  burstLatency: { p50: 100, p95: 900, p99: 1_000, max: 1_100 },
  pacedLatency: { p50: 4, p95: 8, p99: 12.4, max: 30 },
  pacedRate: 500,
  inversions: { perMeter: 0, overall: 3 },
  stored: 990,
  duplicates: 5,
  revisions: 0,
  staged: 0,
  deadLettered: 5,
  unaccounted: 0,
  digest: 'd',
  differences: [],
  peakMemoryBytes: 150_000_000,
  cpuSeconds: 1.5,
  stepSeconds: { validate: 0.25, store: 0.75 },
  ...changes,
});

const REPORT: ComparisonReport = {
  version: 1,
  madeAt: '2026-01-31T09:00:00.000Z',
  product: '0.1.0',
  machine: { cores: 2, node: 'v20', postgres: '15', broker: 'RabbitMQ 3.10' },
  load: {
    source: 'x.csv',
    meters: 10,
    messages: 1_000,
    readings: 1_000,
    shuffled: 0,
    duplicates: 5,
    late: 0,
    poison: 5,
  },
  settings: { ingesters: 1, perMessage: 1, seed: 1, rate: 500, burstSeconds: 8, timeoutSeconds: 120, environment: {} },
  objectives: { meters: 10, intervalSeconds: 900, neededRate: 10 / 900, maxLatencyMs: 100, ordering: 'per-meter' },
  strategies: INGEST_STRATEGIES.map((strategy) => strategyReport(strategy, { isSample: strategy === 'sequential' })),
  statesAgree: true,
  clockErrorMs: 0.2,
  advice: {
    strategy: 'hybrid',
    reason: 'hybrid: it keeps the order per meter.',
    verdicts: INGEST_STRATEGIES.map((strategy) => ({
      strategy,
      qualifies: strategy !== 'async',
      headRoom: 45_000,
      objections: strategy === 'async' ? ['it commits in no order'] : [],
    })),
    changes: [],
  },
};

describe('the report of a comparison', () => {
  it('is of the documented shape', () => {
    expect(ComparisonReport.parse(JSON.parse(JSON.stringify(REPORT)))).toEqual(REPORT);
    expect(ComparisonReport.safeParse({ ...REPORT, version: 2 }).success).toBe(false);
  });

  it('shows each figure of each strategy', () => {
    const rows = new Map(figureRows(REPORT).map(([head, ...cells]) => [head, cells]));
    expect(rows.get('readings published')).toEqual(['1,000 (a part)', '1,000', '1,000']);
    expect(rows.get('latency at 500 readings/s, ms: p50 / p95 / p99 / max')![0]).toBe('4 / 8 / 12 / 30');
    const slow = { ...REPORT, strategies: [strategyReport('async', { pacedRate: 42.4 })] };
    expect(figureRows(slow).flat()).toContain('4 / 8 / 12 / 30 (at 42/s)');
    expect(rows.get('time per step')![1]).toBe('validate 25 %, store 75 %');
    expect(rows.get('qualifies')).toEqual(['yes', 'yes', 'no: it commits in no order']);
    expect(describeLoad(REPORT)).toContain('5 duplicates, 5 poison, 1 ingester on 2 cores');
  });

  it('says openly what was measured on a part, and what is not as expected', () => {
    const wrong = strategyReport('async', { differences: ['stored: expected 2, found 1'] });
    const text = remarks({ ...REPORT, statesAgree: false, strategies: [REPORT.strategies[0]!, wrong] }).join('\n');
    expect(text).toContain('sequential was measured on 1,000 of 1,000 messages');
    expect(text).toContain('async: stored: expected 2, found 1.');
    expect(text).toContain('not all as expected');
    expect(remarks(REPORT).join('\n')).toContain('of each strategy is what its messages demand');
    const whole = { ...REPORT, strategies: INGEST_STRATEGIES.map((strategy) => strategyReport(strategy)) };
    expect(remarks(whole).join('\n')).toContain('The final state is the same under every strategy');
  });

  it('has no latency to show where nothing was stored', () => {
    const nothing = { burstLatency: null, pacedLatency: null, stepSeconds: {} };
    const report = { ...REPORT, strategies: [strategyReport('async', nothing)] };
    expect(figureRows(report).flat()).toContain('none');
    expect(renderHtml(report)).toContain('No latency was measured');
  });
});

describe('the HTML page of a comparison', () => {
  it('escapes what comes from a file, the environment or the database', () => {
    const evil = `<script>alert("1")</script>'&`;
    const html = renderHtml({
      ...REPORT,
      load: { ...REPORT.load, source: evil },
      settings: { ...REPORT.settings, environment: { AMR_INGEST_BATCH: evil } },
      strategies: [strategyReport('async', { differences: [evil], stepSeconds: { [evil]: 1 } })],
    });
    expect(html).not.toContain('<script');
    expect(
      html.match(/&lt;script&gt;alert\(&quot;1&quot;\)&lt;\/script&gt;&#39;&amp;/g)!.length,
    ).toBeGreaterThanOrEqual(5);
  });

  it('loads nothing, runs nothing, and draws each chart', () => {
    const html = renderHtml(REPORT);
    expect(html).not.toMatch(/<script|<link|https?:|src=|@import|url\(| on\w+=/);
    expect(html.match(/<svg /g)).toHaveLength(3);
    expect(html).toContain('prefers-color-scheme: dark');
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
  });

  it.each([0, 0.02, 1, 1_000_000])('draws latencies of %d ms within the picture', (ms) => {
    const pacedLatency = { p50: ms, p95: ms, p99: ms, max: ms };
    const html = renderHtml({ ...REPORT, strategies: [strategyReport('hybrid', { pacedLatency })] });
    for (const [, x] of html.matchAll(/cx="([^"]+)"/g)) {
      expect(Number(x)).toBeGreaterThanOrEqual(110);
      expect(Number(x)).toBeLessThanOrEqual(650);
    }
  });
});
