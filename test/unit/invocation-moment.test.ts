import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { groupMoments, singleCallMoments } from '../../src/domain/invocation-moment.js';

const instants = fc.integer({ min: 0, max: Date.parse('2100-01-01') });

describe('moments of invocations', () => {
  it('are never those of slots, and never both of a group and of a single call', () => {
    fc.assert(
      fc.property(instants, instants, (a, b) => {
        const [groups, singles] = [[...groupMoments(a)], new Set(singleCallMoments(b))];
        expect([...groups, ...singles].filter((at) => at % 1000 === 0)).toEqual([]);
        expect(groups.filter((at) => singles.has(at))).toEqual([]);
      }),
    );
  });

  it('are distinct, bounded and near: a group is due at once, a single call not before it was asked for', () => {
    fc.assert(
      fc.property(instants, (askedAt) => {
        const [groups, singles] = [[...groupMoments(askedAt)], [...singleCallMoments(askedAt)]];
        expect(new Set(groups).size).toBe(50);
        expect(new Set(singles).size).toBe(50);
        expect(groups.every((at) => at <= askedAt && at > askedAt - 530)).toBe(true);
        expect(singles.every((at) => at >= askedAt && at < askedAt + 60)).toBe(true);
        expect(singles[0]! - askedAt).toBeLessThanOrEqual(1);
      }),
    );
  });
});
