import { describe, expect, it } from 'vitest';
import { ReadingOrigin } from '../../src/domain/enums.js';
import type { CommittedColumns } from '../../src/messaging/contracts.js';
import { messagesOf } from '../../src/services/committed-messages.js';

const A = '01a2000a-66fe-7323-ac97-60bfda18f93b';
const B = '01a2000a-66fe-7323-ac97-60bfda18f93c';

function column(meter: string, values: string[], more: Partial<CommittedColumns> = {}): CommittedColumns {
  const t = values.map((_, minute) => minute * 60_000);
  const q = values.map(() => 0);
  return { register: 1, meter, series: '2:300', unit: 'm3', origin: ReadingOrigin.PUSH, t, v: values, q, ...more };
}

const batch = (...columns: CommittedColumns[]) => ({
  position: 7,
  organization: '00000000-0000-7000-8000-000000000001',
  batch: { received_at: 0, columns },
});

describe('messages of a committed batch', () => {
  it('are one per meter, with the readings of all its registers', () => {
    const messages = messagesOf(
      batch(column(A, ['1']), column(B, ['2']), column(A, ['3'], { series: '3:300', unit: null })),
      new Map([[A, 'Gas meter 1']]),
    );
    expect(messages.map(({ meter_device, meter, readings }) => [meter_device, meter, readings.length])).toEqual([
      [A, 'Gas meter 1', 2],
      [B, undefined, 1],
    ]);
    expect(messages[0]!.readings[1]).not.toHaveProperty('unit');
  });

  it('are apart where origin or place differ, each under an id of its own', () => {
    const place = { metering_point: B, customer: 'C-1', tariff: null };
    const messages = messagesOf(
      batch(column(A, ['1']), column(A, ['2'], { place }), column(A, ['3'], { origin: ReadingOrigin.BACKFILL })),
      new Map(),
    );
    expect(messages.map(({ origin, place }) => [origin, place])).toEqual([
      ['push', undefined],
      ['push', place],
      ['backfill', undefined],
    ]);
    expect(new Set(messages.map(({ message_id }) => message_id)).size).toBe(3);
  });

  it('carry the flags of each reading, and resume behind the batch', () => {
    const [message] = messagesOf(batch(column(A, ['1', '2'], { late: [1], revised: true })), new Map());
    expect(message!.readings.map(({ revised, late }) => [revised, late])).toEqual([
      [true, false],
      [true, true],
    ]);
    expect(message!.cursor).toBe('00000000008000000');
  });

  it('hold up to 10,000 readings, and come again as they were', () => {
    const large = batch(
      column(
        A,
        Array.from({ length: 25_000 }, (_, i) => String(i)),
      ),
    );
    const messages = messagesOf(large, new Map());
    expect(messages.map(({ readings }) => readings.length)).toEqual([10_000, 10_000, 5_000]);
    expect(messages.flatMap(({ readings }) => readings.map(({ value }) => value))).toEqual(large.batch.columns[0]!.v);
    expect(messagesOf(large, new Map())).toEqual(messages);
    expect(new Set(messages.map(({ message_id }) => message_id)).size).toBe(3);
  });
});
