import fc from 'fast-check';
import { expect, it } from 'vitest';
import { overlap, type InstallationPeriod } from '../../src/domain/installation-period.js';

const END = 12;
const period = fc
  .record({ from: fc.integer({ min: 0, max: END - 1 }), to: fc.option(fc.integer({ min: 1, max: END })) })
  .filter(({ from, to }) => to === null || to > from)
  .map(({ from, to }): InstallationPeriod => ({
    installedAt: new Date(from),
    removedAt: to === null ? null : new Date(to),
  }));

/** Instants in a period, one by one. */
const instantsOf = ({ installedAt, removedAt }: InstallationPeriod): number[] =>
  Array.from({ length: END + 1 }, (_, at) => at).filter(
    (at) => at >= installedAt.getTime() && (removedAt === null || at < removedAt.getTime()),
  );

it('finds an overlap exactly where two periods share an instant', () => {
  fc.assert(
    fc.property(period, period, (a, b) => {
      const shared = instantsOf(a).some((at) => instantsOf(b).includes(at));
      expect(overlap(a, b)).toBe(shared);
      expect(overlap(b, a)).toBe(shared);
    }),
  );
});

it('leaves the place to a meter that comes as the other goes', () => {
  const first = { installedAt: new Date(1), removedAt: new Date(2) };
  expect(overlap(first, { installedAt: new Date(2), removedAt: null })).toBe(false);
  expect(overlap(first, { installedAt: new Date(1), removedAt: null })).toBe(true);
});
