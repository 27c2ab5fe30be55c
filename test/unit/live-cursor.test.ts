import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor } from '../../src/domain/cursor.js';
import { readingsOfColumns } from '../../src/graphql/reading-stream.js';
import { RecentBatches, type LoggedBatch } from '../../src/graphql/recent-batches.js';
import { batchOf } from '../support/committed-readings.js';

const METERS = ['a', 'b', 'c'] as const;

const place = fc.record({ position: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), taken: fc.nat(2 ** 31 - 1) });

describe('cursor', () => {
  it('comes back as the place it stands for', () => {
    fc.assert(
      fc.property(place, (at) => {
        expect(decodeCursor(encodeCursor(at))).toEqual(at);
      }),
    );
  });

  it('compares as text in the order of the stream', () => {
    fc.assert(
      fc.property(place, place, (a, b) => {
        const order = a.position - b.position || a.taken - b.taken;
        const text = encodeCursor(a) < encodeCursor(b) ? -1 : encodeCursor(a) > encodeCursor(b) ? 1 : 0;
        expect(text).toBe(Math.sign(order));
      }),
    );
  });

  it.each(['', 'x', '0'.repeat(17), 'z'.repeat(17), '00000000001-00000', '00000000001000000 '])(
    'refuses %j',
    (text) => {
      expect(decodeCursor(text)).toBeUndefined();
    },
  );
});

describe('readings of a batch', () => {
  const entry = {
    position: 7,
    organization: 'o',
    bytes: 1,
    batch: batchOf(...METERS.map((meter) => ({ meter, count: 3 }))),
  };

  const readings = (...columns: number[]) => [...readingsOfColumns(entry, new Set(columns)).values()].flat();

  it('keep their cursors when a filter leaves some out', () => {
    const ofMeter = readings(0, 1, 2).filter(({ meterDeviceId }) => meterDeviceId === 'b');
    expect(readings(1)).toEqual(ofMeter.map((reading) => ({ ...reading, metersTogether: ['b'] })));
  });

  it('have strictly rising cursors', () => {
    const cursors = readings(0, 1, 2).map(({ cursor }) => cursor);
    expect(new Set(cursors).size).toBe(9);
    expect([...cursors].sort()).toEqual(cursors);
  });

  it('end with a cursor that needs the batch no more', () => {
    expect(decodeCursor(readings(0, 1, 2).at(-1)!.cursor)).toEqual({ position: 8, taken: 0 });
  });
});

describe('recent batches', () => {
  const batch = (position: number, bytes = 10): LoggedBatch => ({
    position,
    organization: 'o',
    batch: batchOf(),
    bytes,
  });

  it('take only the next position', () => {
    const recent = new RecentBatches(4, { batches: 10, bytes: 1000 });
    expect([6, 4, 5, 5, 6].map((position) => recent.append(batch(position)))).toEqual([
      false,
      false,
      true,
      false,
      true,
    ]);
    expect(recent.head).toBe(6);
  });

  it('let the oldest go when there are too many, or too many bytes', () => {
    const recent = new RecentBatches(0, { batches: 3, bytes: 100 });
    for (let position = 1; position <= 4; position++) recent.append(batch(position));
    expect([1, 2, 3, 4].map((position) => recent.get(position) !== undefined)).toEqual([false, true, true, true]);
    recent.append(batch(5, 95));
    expect([2, 3, 4, 5].map((position) => recent.get(position) !== undefined)).toEqual([false, false, false, true]);
  });

  it('keep the newest, however large', () => {
    const recent = new RecentBatches(0, { batches: 3, bytes: 100 });
    recent.append(batch(1, 1000));
    expect(recent.get(1)).toBeDefined();
  });

  it('go on behind a purged part', () => {
    const recent = new RecentBatches(0, { batches: 3, bytes: 100 });
    recent.append(batch(1));
    recent.restartAfter(9);
    expect(recent.append(batch(10))).toBe(true);
    recent.append(batch(11));
    recent.append(batch(12));
    recent.append(batch(13));
    expect([1, 10, 11, 13].map((position) => recent.get(position) !== undefined)).toEqual([false, false, true, true]);
  });
});
