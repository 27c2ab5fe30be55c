import { describe, expect, it } from 'vitest';
import {
  adviseStrategy,
  type IngestStrategy,
  type Objectives,
  type StrategyFigures,
} from '../../src/domain/strategy-advice.js';

const figure = (strategy: IngestStrategy, throughput: number, p99Ms: number | undefined = 50): StrategyFigures => ({
  strategy,
  throughput,
  p99Ms,
  isComplete: true,
});
const USUAL = [figure('sequential', 500, 20), figure('hybrid', 10_000, 60), figure('async', 20_000, 40)];
const NEEDS: Objectives = { neededRate: 100, ordering: 'none', ingesters: 1 };

describe('the advice on strategies', () => {
  it.each<[string, readonly StrategyFigures[], Partial<Objectives>, IngestStrategy | undefined, RegExp]>([
    ['hybrid where all would do', USUAL, {}, 'hybrid', /keeps the order per meter and has 100 times/],
    ['hybrid for the order per meter', USUAL, { ordering: 'per-meter' }, 'hybrid', /100 times/],
    [
      'sequential for the order of arrival',
      USUAL,
      { ordering: 'arrival' },
      'sequential',
      /order of arrival, and it has 5 times/,
    ],
    [
      'async where the head-room of hybrid is short',
      USUAL,
      { neededRate: 4_000 },
      'async',
      /5 times the needed rate, more than hybrid/,
    ],
    ['async where hybrid has too little', USUAL, { neededRate: 8_000 }, 'async', /has 2\.5 times the needed rate\./],
    [
      'hybrid with short head-room where order counts',
      USUAL,
      { neededRate: 4_000, ordering: 'per-meter' },
      'hybrid',
      /2\.5 times/,
    ],
    ['async by its latency', USUAL, { maxLatencyMs: 50 }, 'async', /promises no order/],
    ['sequential where only its latency is short enough', USUAL, { maxLatencyMs: 30 }, 'sequential', /only it meets/],
    ['hybrid at exactly the latency asked for', USUAL, { maxLatencyMs: 60 }, 'hybrid', /hybrid/],
    ['none that is too slow', USUAL, { neededRate: 20_000 }, undefined, /No strategy/],
    [
      'sequential for the order per meter over two ingesters',
      USUAL,
      { ordering: 'per-meter', ingesters: 2 },
      'sequential',
      /only it meets/,
    ],
    [
      'none without a measured latency',
      [{ ...figure('hybrid', 1e6), p99Ms: undefined }],
      { maxLatencyMs: 10 },
      undefined,
      /No strategy/,
    ],
    ['none that lost something', USUAL.map((of) => ({ ...of, isComplete: false })), {}, undefined, /No strategy/],
  ])('is %s', (_, figures, objectives, strategy, reason) => {
    const advice = adviseStrategy(figures, { ...NEEDS, ...objectives });
    expect(advice.strategy).toBe(strategy);
    expect(advice.reason).toMatch(reason);
    expect(advice.changes.length > 0).toBe(strategy === undefined && figures.length > 1);
  });

  it('says of each strategy that does not qualify all that is against it', () => {
    const { verdicts } = adviseStrategy(USUAL, {
      neededRate: 6_000,
      ordering: 'arrival',
      maxLatencyMs: 45,
      ingesters: 1,
    });
    expect(verdicts.map(({ strategy, objections }) => [strategy, objections])).toEqual([
      ['sequential', ['head-room 0.083 is less than 2']],
      [
        'hybrid',
        ['it keeps the order of each meter only', 'head-room 1.7 is less than 2', 'p99 60 ms is more than 45 ms'],
      ],
      ['async', ['it commits in no order']],
    ]);
  });

  it.each<[Partial<Objectives>, readonly RegExp[]]>([
    [{ neededRate: 20_000 }, [/About 2 ingesters/, /--per-message/, /interval 2 times as long/]],
    [{ neededRate: 20_000, ingesters: 3 }, [/About 6 ingesters/, /--per-message/, /interval/]],
    [{ neededRate: 500, ordering: 'arrival' }, [/--per-message/, /interval 2 times/, /order per meter instead/]],
    [{ maxLatencyMs: 5 }, [/AMR_INGEST_BATCH/]],
  ])('names what to change for %j', (objectives, told) => {
    const { changes } = adviseStrategy(USUAL, { ...NEEDS, ...objectives });
    expect(changes).toHaveLength(told.length);
    told.forEach((pattern, index) => expect(changes[index]).toMatch(pattern));
  });
});
