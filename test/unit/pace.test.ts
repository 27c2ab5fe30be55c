import { expect, it } from 'vitest';
import { Pace } from '../../src/services/pace.js';

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

it('lets so many through in each turn of the event loop, in order, and none is forgotten', async () => {
  const pace = new Pace(2);
  const through: number[] = [];
  for (let index = 0; index < 5; index++) void pace.turn().then(() => through.push(index));
  await Promise.resolve();
  const seen = [through.length];
  while (through.length < 5) {
    await nextTurn();
    seen.push(through.length);
  }
  expect(through).toEqual([0, 1, 2, 3, 4]);
  expect(Math.max(...seen.map((count, turn) => count - (seen[turn - 1] ?? 0)))).toBeLessThanOrEqual(2);
});

it('lets who comes alone through at once, also after a burst', async () => {
  const pace = new Pace(1);
  await Promise.all([pace.turn(), pace.turn(), pace.turn()]);
  await nextTurn();
  await nextTurn();
  let through = false;
  void pace.turn().then(() => (through = true));
  await Promise.resolve();
  expect(through).toBe(true);
});
