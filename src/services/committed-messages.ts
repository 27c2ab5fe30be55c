import { encodeCursor } from '../domain/cursor.js';
import { qualityCodes } from '../domain/quality.js';
import { uuidOf } from '../domain/uuid.js';
import type { CommittedBatch, CommittedColumns, CommittedReadingsMessage } from '../messaging/contracts.js';

/** As many as a `NewMeterReading` may carry. */
const MAX_READINGS = 10_000;

/** A numbered batch. */
export interface PlacedBatch {
  readonly position: number;
  readonly organization: string;
  readonly batch: CommittedBatch;
}

/**
 * A batch as messages for other programs: one per meter, or several where its readings differ in origin or place, or are
 * more than 10,000. The same batch gives the same messages under the same ids, whoever publishes it again.
 */
export function messagesOf(
  { position, organization, batch }: PlacedBatch,
  names: ReadonlyMap<string, string>,
): CommittedReadingsMessage[] {
  const open = new Map<string, CommittedReadingsMessage>();
  const parts = new Map<string, number>();
  const messages: CommittedReadingsMessage[] = [];
  for (const column of batch.columns) {
    const { meter, origin, place } = column;
    const name = names.get(meter);
    const key = JSON.stringify([meter, origin, place]);
    for (const reading of readingsOf(column)) {
      let message = open.get(key);
      if (!message || message.readings.length === MAX_READINGS) {
        const part = parts.get(meter) ?? 0;
        parts.set(meter, part + 1);
        message = {
          version: 1,
          message_id: uuidOf(meter, `${position}.${part}`),
          organization,
          meter_device: meter,
          ...(name !== undefined && { meter: name }),
          origin,
          position,
          cursor: encodeCursor({ position: position + 1, taken: 0 }),
          received_at: new Date(batch.received_at).toISOString(),
          ...(place && { place }),
          readings: [],
        };
        open.set(key, message);
        messages.push(message);
      }
      message.readings.push(reading);
    }
  }
  return messages;
}

function* readingsOf(column: CommittedColumns): Generator<CommittedReadingsMessage['readings'][number]> {
  const { series, unit, revised = false, t, v, q } = column;
  const late = new Set(column.late);
  for (let i = 0; i < t.length; i++) {
    yield {
      series,
      timestamp: new Date(t[i]!).toISOString(),
      value: v[i]!,
      ...(unit !== null && { unit }),
      status: q[i]!,
      quality: qualityCodes(q[i]!),
      revised,
      late: late.has(i),
    };
  }
}
