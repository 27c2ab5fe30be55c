import { v7 as uuidv7 } from 'uuid';
import { encode } from '../messaging/contracts.js';
import type { Load, LoadMessage, ReadingSource } from './load.js';

/** Random bytes of an id, from the seed. */
export function seededId(random: () => number, at: number): string {
  return uuidv7({ msecs: at, random: Uint8Array.from({ length: 16 }, () => Math.floor(random() * 256)) });
}

/**
 * The readings as messages of `perMessage` consecutive readings of one meter, each at the place of its last reading.
 * Ids come from `random`: which of two values counts is decided by them, and must be the same for every strategy.
 */
export function toMessages(source: ReadingSource, perMessage: number, random: () => number): LoadMessage[] {
  const open = source.meters.map((): LoadMessage['readings'][number][] => []);
  const messages: LoadMessage[] = [];
  const close = (meter: number) => {
    const readings = open[meter]!;
    if (readings.length === 0) return;
    messages.push({ messageId: seededId(random, readings.at(-1)!.measuredAt), readings });
    open[meter] = [];
  };
  for (const reading of source.readings) {
    open[reading.meter]!.push(reading);
    if (open[reading.meter]!.length === perMessage) close(reading.meter);
  }
  open.forEach((_, meter) => close(meter));
  return messages;
}

/** The body of a message, as any publisher would write it. Equal for equal messages. */
export function encodeMessage(load: Load, { messageId, readings, poison }: LoadMessage): Buffer {
  if (poison !== undefined) return Buffer.from(poison);
  return encode({
    version: 1,
    message_id: messageId,
    meter_device: load.meters[readings[0]!.meter],
    origin: 'push',
    collected_at: new Date(readings.at(-1)!.measuredAt).toISOString(),
    readings: readings.map(({ measuredAt, value }) => ({
      series: load.series,
      timestamp: new Date(measuredAt).toISOString(),
      value,
      unit: load.unit,
    })),
  });
}
