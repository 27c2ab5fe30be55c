import { expect, it } from 'vitest';
import { Lane } from '../../src/services/ingest/lane.js';

interface Item {
  readonly name: string;
  readonly size: number;
}
const items = (...names: string[]): Item[] => names.map((name) => ({ name, size: 1 }));

/** A lane whose batches end when the test says so. */
function laneOf(options: { maxSize?: number; maxItems?: number; mayBegin?: (size: number) => boolean } = {}) {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const lane = new Lane<Item>({
    writers: 1,
    maxItems: options.maxItems ?? Infinity,
    maxSize: options.maxSize ?? 10,
    ...(options.mayBegin && { mayBegin: options.mayBegin }),
    write: (batch) => {
      begun.push(batch.map(({ name }) => name).join(''));
      return new Promise((resolve) => ends.push(resolve));
    },
  });
  const end = async () => {
    ends.shift()!();
    await new Promise(setImmediate);
  };
  return { lane, begun, end };
}

it('writes one batch at a time, in order, all that waits in the next', async () => {
  const { lane, begun, end } = laneOf();
  lane.push(items('a'));
  lane.push(items('b', 'c'));
  expect(begun).toEqual(['a']);
  await end();
  expect(begun).toEqual(['a', 'bc']);
});

it('bounds a batch by size, without splitting an item, and by number', async () => {
  const large = laneOf({ maxSize: 4 });
  large.lane.push([
    { name: 'a', size: 3 },
    { name: 'b', size: 3 },
    { name: 'c', size: 1 },
  ]);
  await large.end();
  expect(large.begun).toEqual(['ab', 'c']);

  const single = laneOf({ maxItems: 1 });
  single.lane.push(items('a', 'b'));
  await single.end();
  expect(single.begun).toEqual(['a', 'b']);
});

it('begins with what waits once it may', () => {
  let least = 3;
  const { lane, begun } = laneOf({ mayBegin: (size) => size >= least });
  lane.push(items('a', 'b'));
  expect(begun).toEqual([]);
  expect(lane.waitingSize).toBe(2);
  least = 1;
  lane.pump();
  expect(begun).toEqual(['ab']);
  expect(lane.waitingSize).toBe(0);
});

it('gives back what no writer has begun with', () => {
  const { lane, begun } = laneOf();
  lane.push(items('a'));
  lane.push(items('b'));
  expect(lane.withdraw().map(({ name }) => name)).toEqual(['b']);
  expect(begun).toEqual(['a']);
  expect(lane.waitingSize).toBe(0);
});
