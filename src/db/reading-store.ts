import type pg from 'pg';
import { canonicalDecimal } from '../domain/decimal.js';
import { READING_ORIGIN_CODES, type ReadingOrigin, type RevisionPolicy } from '../domain/enums.js';
import { addCandidate, type Candidate, type KeyState, type Verdict } from '../domain/revision.js';
import { sqlState } from './errors.js';
import { planByIndex } from './plans.js';

/** A reading ready to be written. */
export interface StorableReading {
  readonly target: { readonly register: number };
  /** Milliseconds since the epoch. */
  readonly measuredAt: number;
  readonly value: string;
  /** As the meter sent it, where that is not `value`. */
  readonly rawValue: string | undefined;
  readonly quality: number;
  /** Shared by the readings of a message. */
  readonly envelope: {
    readonly organization: string;
    readonly origin: ReadingOrigin;
    readonly collectedAt: number;
    readonly messageId: string;
  };
}

export interface StoreOptions {
  /** Try first without looking for conflicts, a third quicker; for when no key is likely to be known. */
  readonly expectNew: boolean;
}

const ORIGIN_CODE = new Map(READING_ORIGIN_CODES.map((origin, code) => [origin, code]));
const STORED: Verdict = { outcome: 'stored', isCurrent: true };

/** A stored or arriving value with all that its row holds. */
interface Row extends Candidate {
  readonly register: number;
  readonly measuredAt: number;
  readonly billed: string;
  readonly raw: string | null;
  readonly quality: number;
  readonly origin: number;
  /** Null for a row of this batch. */
  readonly receivedAt: Date | null;
}

/**
 * Stores each key (register, measured_at) once, whatever arrives how often. Same value again: duplicate. Another value: both are
 * kept, and the policy of the organization decides which is current. Runs in the caller's transaction; the partitions must
 * exist.
 *
 * Array parameters are written out by hand: the values are numbers and checked decimals, and the driver's general array
 * encoding took longer than the insert. What the readings of a message share is sent once per message.
 * @returns what became of each reading, by its index
 */
export async function storeReadings(
  client: pg.ClientBase,
  readings: readonly StorableReading[],
  receivedAt: Date,
  { expectNew }: StoreOptions = { expectNew: false },
): Promise<Verdict[]> {
  const verdicts = new Array<Verdict>(readings.length).fill(STORED);
  const order = orderOfKeys(readings);
  if (expectNew && isDistinct(order, readings)) {
    const rows = order.map((index) => readings[index]!);
    if ((await insertNew(client, rows, receivedAt)) === rows.length) return verdicts;
  }
  const keys = keysOf(order, readings);
  const policies = new Policies(client);
  const repeated = keys.filter((indexes) => indexes.length > 1);
  if (repeated.length > 0) await policies.load(repeated.map(([index]) => readings[index!]!));

  /** What this batch alone would leave behind for a key that comes more than once in it. */
  const merged = new Map<readonly number[], KeyState<Row>>();
  const replay = (indexes: readonly number[], known: KeyState<Row> | undefined): KeyState<Row> => {
    let state = known;
    for (const index of indexes) {
      const reading = readings[index]!;
      const added = addCandidate(state, rowOf(reading), policies.of(reading));
      state = added.state;
      verdicts[index] = added.verdict;
    }
    return state!;
  };
  for (const indexes of repeated) merged.set(indexes, replay(indexes, undefined));
  const inserts = keys.map((indexes) =>
    indexes.length === 1 ? readings[indexes[0]!]! : readingOf(merged.get(indexes)!.current, indexes, readings),
  );

  const inserted = await insert(client, inserts, receivedAt, CONFLICTS);
  const changes = new Changes();
  if (inserted === keys.length) {
    for (const state of merged.values()) changes.others(state.others, []);
  } else {
    const known = await knownBefore(client, inserts, (place, value) =>
      keys[place]!.some((index) => rowOf(readings[index]!).value !== value),
    );
    await policies.load([...known.keys()].map((place) => inserts[place]!));
    keys.forEach((indexes, place) => {
      const before = known.get(place);
      if (before === undefined) {
        const state = merged.get(indexes);
        if (state) changes.others(state.others, []);
        return;
      }
      const after = replay(indexes, before);
      if (after.current.value !== before.current.value) changes.current(after.current);
      else if (after.current !== before.current) changes.moved(after.current);
      changes.others(after.others, before.others);
    });
  }
  await changes.write(client, receivedAt);
  return verdicts;
}

/**
 * The places of the readings in the order of their keys, within a key in the order of arrival. One order for all writers: two
 * batches that share keys wait for each other instead of deadlocking.
 */
function orderOfKeys(readings: readonly StorableReading[]): number[] {
  return Array.from(readings.keys()).sort(
    (a, b) =>
      readings[a]!.target.register - readings[b]!.target.register ||
      readings[a]!.measuredAt - readings[b]!.measuredAt ||
      a - b,
  );
}

/** Whether no key comes twice. */
function isDistinct(order: readonly number[], readings: readonly StorableReading[]): boolean {
  for (let place = 1; place < order.length; place++) {
    const [before, here] = [readings[order[place - 1]!]!, readings[order[place]!]!];
    if (before.measuredAt === here.measuredAt && before.target.register === here.target.register) return false;
  }
  return true;
}

/** The places of equal keys together. */
function keysOf(order: readonly number[], readings: readonly StorableReading[]): number[][] {
  const keys: number[][] = [];
  let last: StorableReading | undefined;
  for (const index of order) {
    const reading = readings[index]!;
    if (last?.measuredAt === reading.measuredAt && last.target.register === reading.target.register) {
      keys.at(-1)!.push(index);
    } else keys.push([index]);
    last = reading;
  }
  return keys;
}

const CONFLICTS = 'on conflict do nothing';
const UNIQUE_VIOLATION = '23505';

/** All or nothing. @returns how many were inserted: 0 when a key was known */
async function insertNew(client: pg.ClientBase, rows: readonly StorableReading[], receivedAt: Date): Promise<number> {
  await client.query('savepoint new_readings');
  try {
    return await insert(client, rows, receivedAt, '');
  } catch (error) {
    if (sqlState(error) !== UNIQUE_VIOLATION) throw error;
    // Released as well: rows of a subtransaction would not carry the id of this one.
    await client.query('rollback to savepoint new_readings');
    await client.query('release savepoint new_readings');
    return 0;
  }
}

/** @returns how many were inserted */
async function insert(
  client: pg.ClientBase,
  rows: readonly StorableReading[],
  receivedAt: Date,
  onConflict: string,
): Promise<number> {
  const messages = new Map<StorableReading['envelope'], number>();
  const places = rows.map(({ envelope }) => {
    let place = messages.get(envelope);
    if (place === undefined) messages.set(envelope, (place = messages.size + 1));
    return place;
  });
  const envelopes = [...messages.keys()];
  const { rowCount } = await client.query(
    `insert into meter_reading (register_id, measured_at, value, quality, origin, received_at, raw_value, collected_at, message_id)
     select i.register_id, i.measured_at, i.value, i.quality, ($9::smallint[])[i.m], $1, i.raw_value, ($7::timestamptz[])[i.m], ($8::uuid[])[i.m]
     from unnest($2::int[], $3::timestamptz[], $4::numeric[], $5::int[], $6::int[], $10::numeric[])
       as i (register_id, measured_at, value, quality, m, raw_value)
     ${onConflict}`,
    [
      receivedAt,
      literal(rows, ({ target }) => target.register),
      literal(rows, ({ measuredAt }) => instant(measuredAt)),
      literal(rows, ({ value }) => value),
      literal(rows, ({ quality }) => quality),
      literal(places, (place) => place),
      literal(envelopes, ({ collectedAt }) => instant(collectedAt)),
      literal(envelopes, ({ messageId }) => messageId),
      literal(envelopes, ({ origin }) => ORIGIN_CODE.get(origin)!),
      // Shorter arrays are filled up with nulls.
      rows.some(({ rawValue }) => rawValue !== undefined) ? literal(rows, ({ rawValue }) => rawValue ?? 'null') : '{}',
    ],
  );
  return rowCount ?? 0;
}

interface StoredRow {
  place: string;
  value: string;
  raw_value: string | null;
  quality: number;
  origin: number;
  received_at: Date;
  collected_at: Date | null;
  message_id: string | null;
}

/** Sorts before any other: of rows from before messages were told apart. */
const NO_MESSAGE = '00000000-0000-0000-0000-000000000000';

/**
 * What earlier transactions stored for these keys, by place, locked until the end of this one. A statement after the insert, so
 * that it sees what others committed meanwhile; rows of this transaction carry its id as xmin. Month by month with `offset 0`, so
 * that each key is one look-up in one partition's index: joined at once, whole partitions were read and sorted.
 * @param isContested whether a value other than the stored one is said for the key: then its revisions are read too
 */
async function knownBefore(
  client: pg.ClientBase,
  readings: readonly StorableReading[],
  isContested: (place: number, storedValue: string) => boolean,
): Promise<Map<number, KeyState<Row>>> {
  const found = new Map<number, KeyState<Row>>();
  for (const [month, places] of byMonth(Array.from(readings.keys()), (place) => readings[place]!.measuredAt)) {
    const { rows } = await client.query<StoredRow>(
      `select i.place, r.value, r.raw_value, r.quality, r.origin, r.received_at, r.collected_at, r.message_id
       from unnest($1::int[], $2::timestamptz[]) with ordinality as i (register_id, measured_at, place)
       cross join lateral (
         select *, xmin from meter_reading s
         where s.register_id = i.register_id and s.measured_at = i.measured_at
           and s.measured_at >= $3 and s.measured_at < $4 offset 0 for update
       ) r
       where r.xmin <> pg_current_xact_id()::xid`,
      [
        literal(places, (place) => readings[place]!.target.register),
        literal(places, (place) => instant(readings[place]!.measuredAt)),
        new Date(month),
        new Date(startOfMonth(month, 1)),
      ],
    );
    for (const row of rows) {
      const place = places[Number(row.place) - 1]!;
      found.set(place, { current: storedRow(row, readings[place]!), others: [] });
    }
  }
  const contested = [...found].filter(([place, { current }]) => isContested(place, current.value));
  if (contested.length === 0) return found;
  const { rows } = await client.query<StoredRow>(
    `select i.place, r.* from unnest($1::int[], $2::timestamptz[]) with ordinality as i (register_id, measured_at, place)
     cross join lateral (
       select value, raw_value, quality, origin, received_at, collected_at, message_id from meter_reading_revision s
       where s.register_id = i.register_id and s.measured_at = i.measured_at offset 0) r`,
    [
      literal(contested, ([place]) => readings[place]!.target.register),
      literal(contested, ([place]) => instant(readings[place]!.measuredAt)),
    ],
  );
  for (const row of rows) {
    const [place, { current }] = contested[Number(row.place) - 1]!;
    const { others } = found.get(place)!;
    found.set(place, { current, others: [...others, storedRow(row, readings[place]!)] });
  }
  return found;
}

/** What a batch changes beyond the rows it inserts. */
class Changes {
  private readonly currents: Row[] = [];
  private readonly repeats: Row[] = [];
  private readonly added: Row[] = [];
  private readonly removed: Row[] = [];

  current(row: Row): void {
    this.currents.push(row);
  }

  /**
   * Said again by a message that decides from now on. The value as it is billed stays: it is of the ratios that held when it was
   * stored.
   */
  moved(row: Row): void {
    this.repeats.push(row);
  }

  others(after: readonly Row[], before: readonly Row[]): void {
    this.added.push(...after.filter((row) => !before.includes(row)));
    this.removed.push(...before.filter((row) => !after.includes(row)));
  }

  async write(client: pg.ClientBase, receivedAt: Date): Promise<void> {
    if (this.removed.length + this.currents.length + this.repeats.length > 0) await planByIndex(client);
    if (this.removed.length > 0) {
      await client.query(
        `delete from meter_reading_revision r using unnest($1::int[], $2::timestamptz[], $3::numeric[]) as i (register_id, measured_at, value)
         where r.register_id = i.register_id and r.measured_at = i.measured_at and r.value = i.value`,
        keyColumns(this.removed),
      );
    }
    for (const [month, rows] of byMonth(this.currents, (row) => row.measuredAt)) {
      await client.query(
        `update meter_reading r set value = i.value, quality = i.quality, origin = i.origin, received_at = coalesce(i.received_at, $10),
           raw_value = i.raw_value, collected_at = i.collected_at, message_id = i.message_id
         from ${ROWS} where r.register_id = i.register_id and r.measured_at = i.measured_at and r.measured_at >= $11 and r.measured_at < $12`,
        [...rowColumns(rows), receivedAt, new Date(month), new Date(startOfMonth(month, 1))],
      );
    }
    for (const [month, rows] of byMonth(this.repeats, (row) => row.measuredAt)) {
      await client.query(
        `update meter_reading r set quality = i.quality, origin = i.origin, collected_at = i.collected_at, message_id = i.message_id
         from ${ROWS} where r.register_id = i.register_id and r.measured_at = i.measured_at and r.measured_at >= $10 and r.measured_at < $11`,
        [...rowColumns(rows), new Date(month), new Date(startOfMonth(month, 1))],
      );
    }
    if (this.added.length > 0) {
      await client.query(
        `insert into meter_reading_revision (register_id, measured_at, value, quality, origin, received_at, raw_value, collected_at, message_id)
         select i.register_id, i.measured_at, i.value, i.quality, i.origin, coalesce(i.received_at, $10), i.raw_value, i.collected_at, i.message_id
         from ${ROWS} on conflict do nothing`,
        [...rowColumns(this.added), receivedAt],
      );
    }
  }
}

const ROWS = `unnest($1::int[], $2::timestamptz[], $3::numeric[], $4::int[], $5::smallint[], $6::numeric[], $7::timestamptz[], $8::uuid[], $9::timestamptz[])
  as i (register_id, measured_at, value, quality, origin, raw_value, collected_at, message_id, received_at)`;

function keyColumns(rows: readonly Row[]): string[] {
  return [
    literal(rows, (row) => row.register),
    literal(rows, (row) => instant(row.measuredAt)),
    literal(rows, (row) => row.billed),
  ];
}

/** The parameters of `ROWS`. */
function rowColumns(rows: readonly Row[]): string[] {
  return [
    ...keyColumns(rows),
    literal(rows, (row) => row.quality),
    literal(rows, (row) => row.origin),
    literal(rows, (row) => row.raw ?? 'null'),
    literal(rows, (row) => instant(row.collectedAt)),
    literal(rows, (row) => row.messageId),
    literal(rows, (row) => row.receivedAt?.toISOString() ?? 'null'),
  ];
}

/** The policies of the organizations that need them: read only where values meet. */
class Policies {
  private readonly byOrganization = new Map<string, RevisionPolicy>();

  constructor(private readonly client: pg.ClientBase) {}

  async load(readings: readonly StorableReading[]): Promise<void> {
    const missing = new Set(readings.map(({ envelope }) => envelope.organization));
    for (const organization of this.byOrganization.keys()) missing.delete(organization);
    if (missing.size === 0) return;
    const { rows } = await this.client.query<{ id: string; revision_policy: RevisionPolicy }>(
      'select id, revision_policy from organization where id = any($1::uuid[])',
      [[...missing]],
    );
    for (const row of rows) this.byOrganization.set(row.id, row.revision_policy);
  }

  of({ envelope }: StorableReading): RevisionPolicy {
    return this.byOrganization.get(envelope.organization)!;
  }
}

function rowOf(reading: StorableReading): Row {
  const { envelope, rawValue, value } = reading;
  return {
    value: canonicalDecimal(rawValue ?? value),
    collectedAt: envelope.collectedAt,
    messageId: envelope.messageId,
    register: reading.target.register,
    measuredAt: reading.measuredAt,
    billed: value,
    raw: rawValue ?? null,
    quality: reading.quality,
    origin: ORIGIN_CODE.get(envelope.origin)!,
    receivedAt: null,
  };
}

function storedRow(row: StoredRow, { target, measuredAt }: StorableReading): Row {
  return {
    value: canonicalDecimal(row.raw_value ?? row.value),
    collectedAt: (row.collected_at ?? row.received_at).getTime(),
    messageId: row.message_id ?? NO_MESSAGE,
    register: target.register,
    measuredAt,
    billed: row.value,
    raw: row.raw_value,
    quality: row.quality,
    origin: row.origin,
    receivedAt: row.received_at,
  };
}

/** The reading of this batch that a row came from. */
function readingOf(row: Row, indexes: readonly number[], readings: readonly StorableReading[]): StorableReading {
  const index = indexes.findLast((place) => {
    const { envelope, value } = readings[place]!;
    return envelope.messageId === row.messageId && envelope.collectedAt === row.collectedAt && value === row.billed;
  });
  return readings[index!]!;
}

/** By the start of the month they lie in, which is that of their partition. */
function byMonth<T>(items: readonly T[], instantOf: (item: T) => number): Map<number, T[]> {
  const months = new Map<number, T[]>();
  for (const item of items) {
    const month = startOfMonth(instantOf(item));
    const sameMonth = months.get(month);
    if (sameMonth) sameMonth.push(item);
    else months.set(month, [item]);
  }
  return months;
}

function startOfMonth(ms: number, monthsLater = 0): number {
  const at = new Date(ms);
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + monthsLater, 1);
}

/** Longest list of instants that are kept as text. */
const MAX_INSTANTS = 20_000;
const instants = new Map<number, string>();

/** ISO 8601. Meters measure at the same instants, and to write one takes longer than to find it. */
function instant(ms: number): string {
  let text = instants.get(ms);
  if (text === undefined) {
    if (instants.size >= MAX_INSTANTS) instants.clear();
    instants.set(ms, (text = new Date(ms).toISOString()));
  }
  return text;
}

/** An array literal of values that need no quoting. */
function literal<T>(items: readonly T[], cell: (item: T) => string | number): string {
  return `{${items.map(cell).join(',')}}`;
}
