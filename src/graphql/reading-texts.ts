import { encodeCursor } from '../domain/cursor.js';
import { qualityCodes } from '../domain/quality.js';
import type { CommittedBatch, CommittedColumns } from '../messaging/contracts.js';
import type { CachedMeter } from './meter-cache.js';
import { placeBehind } from './reading-channel.js';
import type { LeafField, ReadingSelection } from './reading-selection.js';

/** What is known of a column of a batch beside its readings. */
export interface ColumnPlace {
  readonly position: number;
  readonly batch: CommittedBatch;
  readonly column: CommittedColumns;
  /** Readings of the batch before it, and in all. */
  readonly start: number;
  readonly size: number;
  /** Given where the selection asks for it. */
  readonly meter: CachedMeter | undefined;
}

/** Writes one field of reading `i`. */
type Write = (i: number) => string;

/**
 * The answers to each reading of a column as JSON text, just as the executor would give them.
 * @throws where the executor would answer with an error
 */
export function writeReadings({ key, fields }: ReadingSelection, place: ColumnPlace, typeName: string): string[] {
  const writes: (string | Write)[] = [];
  /** What is the same for all readings of the column is put together once. */
  const add = (piece: string | Write) => {
    const last = writes.at(-1);
    if (typeof piece === 'string' && typeof last === 'string') writes[writes.length - 1] = last + piece;
    else writes.push(piece);
  };
  add(`{"data":{${JSON.stringify(key)}:{`);
  fields.forEach((field, index) => {
    add(`${index === 0 ? '' : ','}${JSON.stringify(field.key)}:`);
    add('meter' in field ? meterText(field.meter, place.meter) : writeOf(field, place, typeName));
  });
  add('}}}');
  return place.column.t.map((_, i) => {
    let text = '';
    for (const write of writes) text += typeof write === 'string' ? write : write(i);
    return text;
  });
}

function writeOf(
  field: LeafField,
  { position, batch, column, start, size }: ColumnPlace,
  typeName: string,
): string | Write {
  const leaf = (value: unknown) => leafText(field, value);
  switch (field.name) {
    case '__typename':
      return JSON.stringify(typeName);
    case 'cursor':
      return (i) => `"${encodeCursor(placeBehind(position, start + i + 1, size))}"`;
    case 'timestamp':
      return (i) => `"${new Date(column.t[i]!).toISOString()}"`;
    case 'value':
      return (i) => JSON.stringify(column.v[i]);
    case 'quality':
      return (i) => (column.q[i] === 0 ? '[]' : JSON.stringify(qualityCodes(column.q[i]!)));
    case 'late': {
      const late = new Set(column.late);
      return late.size === 0 ? 'false' : (i) => String(late.has(i));
    }
    case 'series':
      return leaf(column.series);
    case 'unit':
      return leaf(column.unit);
    case 'origin':
      return leaf(column.origin);
    case 'receivedAt':
      return leaf(new Date(batch.received_at));
    case 'meteringPoint':
      return leaf(column.place?.metering_point);
    case 'customerReference':
      return leaf(column.place?.customer);
    case 'tariffReference':
      return leaf(column.place?.tariff);
    case 'revised':
      return leaf(column.revised ?? false);
    default:
      throw new Error(`a reading has no field ${field.name}`);
  }
}

const meterTexts = new WeakMap<readonly LeafField[], WeakMap<CachedMeter, string>>();

function meterText(fields: readonly LeafField[], meter: CachedMeter | undefined): string {
  if (!meter) throw new Error('the meter of a reading is gone');
  let texts = meterTexts.get(fields);
  if (!texts) meterTexts.set(fields, (texts = new WeakMap()));
  let text = texts.get(meter);
  if (text === undefined) {
    const values: Readonly<Record<string, unknown>> = { ...meter };
    const written = fields.map((field) => {
      const value = field.name === '__typename' ? '"MeterDevice"' : leafText(field, values[field.name]);
      return `${JSON.stringify(field.key)}:${value}`;
    });
    texts.set(meter, (text = `{${written.join(',')}}`));
  }
  return text;
}

function leafText({ name, type, nullable }: LeafField, value: unknown): string {
  const serialized: unknown = value == null ? null : type!.serialize(value);
  if (serialized == null && !nullable) throw new Error(`${name} has no value`);
  return JSON.stringify(serialized ?? null);
}
