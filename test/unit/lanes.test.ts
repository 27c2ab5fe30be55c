import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Lanes, type LanesOptions } from '../../src/services/ingest/lanes.js';

interface Item {
  readonly name: string;
  readonly lane: number;
  readonly size: number;
}
const items = (...names: string[]): Item[] => names.map((name) => ({ name, lane: name.charCodeAt(0) % 2, size: 1 }));

/** Lanes whose batches end when the test says so. */
function lanesOf(options: Partial<LanesOptions<Item>> = {}) {
  const begun: Item[][] = [];
  const ends: { batch: readonly Item[]; resolve: () => void }[] = [];
  const lanes = new Lanes<Item>({
    lanes: 2,
    writersPerLane: 1,
    maxItems: Infinity,
    maxSize: 3,
    laneOf: ({ lane }) => lane,
    write: (batch) => {
      begun.push([...batch]);
      return new Promise<void>((resolve) => ends.push({ batch, resolve }));
    },
    ...options,
  });
  const end = async (index = 0) => {
    const [ended] = ends.splice(index, 1);
    ended!.resolve();
    await new Promise(setImmediate);
    return ended!.batch;
  };
  const names = () => begun.map((batch) => batch.map(({ name }) => name).join(''));
  return { lanes, names, begun, ends, end };
}

it('writes of all lanes together, one batch after another, while less waits than fills them', async () => {
  const { lanes, names, end } = lanesOf();
  lanes.push(items('a'));
  lanes.push(items('b', 'c'));
  lanes.push(items('d'));
  expect(names()).toEqual(['a']);
  await end();
  expect(names()).toEqual(['a', 'bcd']);
  expect(lanes.waitingSize).toBe(0);
});

it('writes full batches of several lanes side by side', async () => {
  const { lanes, names, end } = lanesOf();
  lanes.push(items('a'));
  lanes.push(items(...'cbedgfih'));
  await end();
  expect(names()).toEqual(['a', 'ceg', 'bdf']);
  await end();
  // What is left waits until it can be written alone.
  expect(names()).toHaveLength(3);
  await end();
  expect(names().at(-1)).toBe('ih');
});

it('bounds a batch by number, and by size without splitting an item', async () => {
  const large = lanesOf({ lanes: 1, maxSize: 4 });
  large.lanes.push([3, 3, 1].map((size, index) => ({ name: 'abc'[index]!, lane: 0, size })));
  await large.end();
  expect(large.names()).toEqual(['ab', 'c']);

  const single = lanesOf({ lanes: 1, maxItems: 1 });
  single.lanes.push(items('a', 'b'));
  await single.end();
  expect(single.names()).toEqual(['a', 'b']);
});

it('gives back what no writer has begun with', () => {
  const { lanes, names } = lanesOf();
  lanes.push(items('a'));
  lanes.push(items('b'));
  expect(lanes.withdraw().map(({ name }) => name)).toEqual(['b']);
  expect(names()).toEqual(['a']);
  expect(lanes.waitingSize).toBe(0);
});

it('writes everything once, and what is in one lane in order, never two batches of it at once', async () => {
  const pushes = fc.array(fc.array(fc.record({ lane: fc.nat(2), size: fc.integer({ min: 1, max: 4 }) })), {
    maxLength: 20,
  });
  await fc.assert(
    fc.asyncProperty(pushes, fc.array(fc.nat(5)), async (sizes, choices) => {
      const { lanes, begun, ends, end } = lanesOf({ lanes: 3 });
      let count = 0;
      const pushed = sizes.map((part) => part.map((item) => ({ ...item, name: String(count++) })));
      for (const [turn, part] of pushed.entries()) {
        lanes.push(part);
        const under = ends.map(({ batch }) => new Set(batch.map(({ lane }) => lane)));
        expect(new Set(under.flatMap((set) => [...set])).size).toBe(under.reduce((sum, { size }) => sum + size, 0));
        if (ends.length > 0 && (choices[turn] ?? 0) > 1) await end((choices[turn] ?? 0) % ends.length);
      }
      while (ends.length > 0) await end();
      await lanes.idle();
      const written = begun.flat();
      expect(written).toHaveLength(count);
      for (const lane of [0, 1, 2]) {
        const of = (all: readonly Item[]) => all.filter((item) => item.lane === lane);
        expect(of(written)).toEqual(of(pushed.flat()));
      }
      expect(lanes.waitingSize).toBe(0);
    }),
  );
});
