import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RevisionPolicy } from '../../src/domain/enums.js';
import { addCandidate, type Candidate, type KeyState, type Verdict } from '../../src/domain/revision.js';

const candidate = fc.record({
  value: fc.constantFrom('1', '2', '3'),
  collectedAt: fc.integer({ min: 0, max: 4 }),
  messageId: fc.constantFrom('a', 'b'),
});
const policy = fc.constantFrom(RevisionPolicy.KEEP_FIRST, RevisionPolicy.TAKE_LATEST);

function play(candidates: readonly Candidate[], by: RevisionPolicy) {
  let state: KeyState<Candidate> | undefined;
  const verdicts: Verdict[] = [];
  for (const one of candidates) {
    const added = addCandidate(state, one, by);
    state = added.state;
    verdicts.push(added.verdict);
  }
  const count = (outcome: Verdict['outcome']) => verdicts.filter((verdict) => verdict.outcome === outcome).length;
  return {
    current: state!.current,
    values: [state!.current, ...state!.others].map(({ value }) => value).sort(),
    counts: { stored: count('stored'), duplicate: count('duplicate'), revised: count('revised') },
  };
}

describe('the value that is current', () => {
  it('is the same in whatever order the values come, and so are the counts', () => {
    fc.assert(
      fc.property(
        fc
          .array(candidate, { minLength: 1, maxLength: 8 })
          .chain((candidates) =>
            fc.tuple(fc.constant(candidates), fc.shuffledSubarray(candidates, { minLength: candidates.length })),
          ),
        policy,
        ([candidates, shuffled], by) => {
          expect(play(shuffled, by)).toEqual(play(candidates, by));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('is the first or the latest by the instant of collection, then by message', () => {
    fc.assert(
      fc.property(fc.array(candidate, { minLength: 1, maxLength: 8 }), policy, (candidates, by) => {
        const order = [...candidates].sort(
          (a, b) =>
            a.collectedAt - b.collectedAt ||
            (a.messageId < b.messageId ? -1 : a.messageId > b.messageId ? 1 : 0) ||
            (a.value < b.value ? -1 : 1),
        );
        const expected = by === RevisionPolicy.KEEP_FIRST ? order[0]! : order.at(-1)!;
        expect(play(candidates, by).current).toEqual(expected);
      }),
    );
  });

  it('counts one stored value, a revision for each other value, and repeats as duplicates', () => {
    const at = (value: string, collectedAt: number) => ({ value, collectedAt, messageId: 'a' });
    const { counts, current } = play([at('1', 1), at('2', 2), at('2', 3), at('1', 4)], RevisionPolicy.TAKE_LATEST);
    expect(counts).toEqual({ stored: 1, revised: 1, duplicate: 2 });
    expect(current).toEqual(at('1', 4));
  });
});
