import type pg from 'pg';
import { canonicalDecimal } from '../domain/decimal.js';
import { READING_ORIGIN_CODES, type ReadingOrigin } from '../domain/enums.js';

/** A reading ready to be written. */
export interface StorableReading {
  target: { register: number };
  /** Milliseconds since the epoch. */
  measuredAt: number;
  value: string;
  quality: number;
  origin: ReadingOrigin;
}

/** What became of each reading of a batch, by its index. */
export type StoreOutcome = 'stored' | 'duplicate' | 'revised';

const ORIGIN_CODE = new Map(READING_ORIGIN_CODES.map((origin, code) => [origin, code]));

/**
 * Stores each key (register, measured_at) once, whatever arrives how often. Same value again: duplicate. Another value:
 * the stored one stays, the new one is kept as a revision. Runs in the caller's transaction; the partitions must exist.
 *
 * Array parameters are written out by hand: the values are numbers and checked decimals, and the driver's general array
 * encoding took longer than the insert.
 */
export async function storeReadings(
  client: pg.ClientBase,
  readings: readonly StorableReading[],
  receivedAt: Date,
): Promise<StoreOutcome[]> {
  const outcomes = new Array<StoreOutcome>(readings.length).fill('stored');
  const firsts = new Map<number, Map<number, number>>();
  const inserts: number[] = [];
  /** Readings whose key came earlier in this batch, with the index it came at. */
  const repeats: { index: number; first: number }[] = [];
  readings.forEach(({ target, measuredAt }, index) => {
    let times = firsts.get(target.register);
    if (!times) firsts.set(target.register, (times = new Map<number, number>()));
    const first = times.get(measuredAt);
    if (first === undefined) {
      times.set(measuredAt, index);
      inserts.push(index);
    } else repeats.push({ index, first });
  });

  // One order for all writers: two batches that share keys wait for each other instead of deadlocking.
  inserts.sort(
    (a, b) =>
      readings[a]!.target.register - readings[b]!.target.register || readings[a]!.measuredAt - readings[b]!.measuredAt,
  );
  const keys = [
    literal(inserts, (index) => readings[index]!.target.register),
    literal(inserts, (index) => instant(readings[index]!.measuredAt)),
  ];
  const inserted = await client.query(
    `insert into meter_reading (register_id, measured_at, value, quality, origin, received_at)
     select i.register_id, i.measured_at, i.value, i.quality, i.origin, $6
     from unnest($1::int[], $2::timestamptz[], $3::numeric[], $4::int[], $5::smallint[]) as i (register_id, measured_at, value, quality, origin)
     on conflict do nothing`,
    [
      ...keys,
      literal(inserts, (index) => readings[index]!.value),
      literal(inserts, (index) => readings[index]!.quality),
      literal(inserts, (index) => ORIGIN_CODE.get(readings[index]!.origin)!),
      receivedAt,
    ],
  );

  const revised: number[] = [];
  const judge = (index: number, storedValue: string) => {
    const same = canonicalDecimal(storedValue) === canonicalDecimal(readings[index]!.value);
    outcomes[index] = same ? 'duplicate' : 'revised';
    if (!same) revised.push(index);
  };
  const conflicts = inserts.length - (inserted.rowCount ?? 0);
  const storedBefore = conflicts > 0 ? await storedBeforehand(client, readings, inserts) : new Map<number, string>();
  for (const [index, value] of storedBefore) judge(index, value);
  for (const { index, first } of repeats) judge(index, storedBefore.get(first) ?? readings[first]!.value);
  if (revised.length > 0) await keepRevisions(client, readings, revised, receivedAt);
  return outcomes;
}

/**
 * The values that earlier transactions stored for these keys, by index. A statement after the insert, so that it sees what others
 * committed meanwhile; rows of this transaction carry its id as xmin. Month by month with `offset 0`, so that each key is one
 * look-up in one partition's index: joined at once, whole partitions were read and sorted.
 */
async function storedBeforehand(
  client: pg.ClientBase,
  readings: readonly StorableReading[],
  indexes: readonly number[],
): Promise<Map<number, string>> {
  const months = new Map<number, number[]>();
  for (const index of indexes) {
    const month = startOfMonth(readings[index]!.measuredAt);
    const sameMonth = months.get(month);
    if (sameMonth) sameMonth.push(index);
    else months.set(month, [index]);
  }
  const found = new Map<number, string>();
  for (const [month, sameMonth] of months) {
    const { rows } = await client.query<{ place: string; value: string }>(
      `select i.place, r.value
       from unnest($1::int[], $2::timestamptz[]) with ordinality as i (register_id, measured_at, place)
       cross join lateral (
         select value, xmin from meter_reading s
         where s.register_id = i.register_id and s.measured_at = i.measured_at
           and s.measured_at >= $3 and s.measured_at < $4 offset 0
       ) r
       where r.xmin <> pg_current_xact_id()::xid`,
      [
        literal(sameMonth, (index) => readings[index]!.target.register),
        literal(sameMonth, (index) => instant(readings[index]!.measuredAt)),
        new Date(month),
        new Date(startOfMonth(month, 1)),
      ],
    );
    for (const row of rows) found.set(sameMonth[Number(row.place) - 1]!, row.value);
  }
  return found;
}

function startOfMonth(ms: number, monthsLater = 0): number {
  const at = new Date(ms);
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + monthsLater, 1);
}

async function keepRevisions(
  client: pg.ClientBase,
  readings: readonly StorableReading[],
  indexes: readonly number[],
  receivedAt: Date,
): Promise<void> {
  await client.query(
    `insert into meter_reading_revision (register_id, measured_at, value, quality, origin, received_at)
     select i.*, $6 from unnest($1::int[], $2::timestamptz[], $3::numeric[], $4::int[], $5::smallint[]) as i
     on conflict do nothing`,
    [
      literal(indexes, (index) => readings[index]!.target.register),
      literal(indexes, (index) => instant(readings[index]!.measuredAt)),
      literal(indexes, (index) => readings[index]!.value),
      literal(indexes, (index) => readings[index]!.quality),
      literal(indexes, (index) => ORIGIN_CODE.get(readings[index]!.origin)!),
      receivedAt,
    ],
  );
}

/** An array literal of values that need no quoting. */
function literal(indexes: readonly number[], cell: (index: number) => string | number): string {
  return `{${indexes.map(cell).join(',')}}`;
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}
