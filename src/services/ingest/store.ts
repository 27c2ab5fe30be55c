import type pg from 'pg';
import { storeReadings, type StoreOptions } from '../../db/reading-store.js';
import { READING_ORIGIN_CODES } from '../../domain/enums.js';
import type { Verdict } from '../../domain/revision.js';
import { fileDeadLetters } from '../dead-letters.js';
import { settleRedriven, type OutcomePlace } from '../redrive-settlement.js';
import type { EnrichedReading } from './enrich.js';
import { awaitKeyless, findRepeats, rememberMessages } from './repeats.js';
import { OutcomeTally, type Outcome } from './outcomes.js';
import { rejectionOf, type Envelope, type Rejection, type ValidReading } from './validate.js';

/** The readings of some messages, validated and enriched, to be committed together. */
export interface Batch {
  known: readonly EnrichedReading[];
  /** Of meters nobody has created yet. */
  unknown: readonly ValidReading[];
  rejections: readonly Rejection[];
}

/** How many readings became what. */
export type OutcomeCounts = Record<Exclude<Outcome, 'discarded'>, number>;

export interface StoredBatch {
  counts: OutcomeCounts;
  /** What became of each of `batch.known`, by its index. */
  verdicts: readonly Verdict[];
  /** Runs whose counts changed. */
  runs: { id: string; organization_id: string }[];
}

export interface StoreSettings extends StoreOptions {
  receivedAt: Date;
  /** Id of the ingester that took the messages from the broker; see `rememberMessages`. */
  ingester?: string;
  /** Longest time from publishing to commit that is on time, by organization; milliseconds. */
  latencyObjectiveMs: (organization: string) => number;
  /** Whether the batch was written before and nobody knows whether that was committed. @default false */
  triedBefore?: boolean;
}

/**
 * Writes a batch in the caller's transaction: readings, revisions, staged readings, dead letters, the counts of the runs that
 * read them and the account of what was published commit together or not at all.
 */
export async function storeBatch(client: pg.ClientBase, batch: Batch, settings: StoreSettings): Promise<StoredBatch> {
  const { receivedAt } = settings;
  const outcomes = new MessageOutcomes();
  const verdicts = batch.known.length > 0 ? await storeReadings(client, batch.known, receivedAt, settings) : [];
  for (let index = 0; index < verdicts.length; index++) {
    outcomes.count(batch.known[index]!.envelope, verdicts[index]!.outcome);
  }

  const { repeats, orphans } = await stage(client, batch.unknown, receivedAt);
  batch.unknown.forEach((reading, index) => {
    if (!orphans.has(reading)) outcomes.count(reading.envelope, repeats.has(index) ? 'duplicate' : 'staged');
  });

  const refused = [...batch.rejections, ...[...orphans].map(withoutOrganization)];
  for (const { envelope, readings } of refused) outcomes.count(envelope, 'dead_lettered', readings);

  const tally = new OutcomeTally();
  const repeated = await outcomes.dropRepeats(client, settings.triedBefore);
  const places = await outcomes.settleRedriven(client, tally);
  const rejections = refused.filter(({ envelope }) => !repeated.has(envelope));
  if (settings.ingester !== undefined) await rememberMessages(client, settings.ingester, outcomes.messages.keys());
  await fileDeadLetters(
    client,
    rejections.map(({ envelope, reason, body, readings }) => ({
      organization: envelope.organization,
      queue: 'readings.new',
      reason,
      body,
      // Of a redriven message that is not settled here the account has the readings already.
      readings: envelope.redrive === undefined || places.has(envelope) ? readings : 0,
      publication: places.get(envelope)?.publication ?? envelope.publication,
    })),
  );
  outcomes.addTo(tally, places, settings);
  await tally.book(client);
  return { counts: outcomes.totals(), verdicts, runs: await countOnRuns(client, outcomes) };
}

type Sender = Rejection['envelope'] & Partial<Pick<Envelope, 'isTimed'>>;

const BOOKED_HERE = ['stored', 'duplicate', 'revised', 'staged'] as const;

/** What became of the readings of each message. */
class MessageOutcomes {
  readonly messages = new Map<Sender, OutcomeCounts>();
  /** Readings of a message come one after another. */
  private last: { message: Sender; counts: OutcomeCounts } | undefined;

  count(message: Sender, outcome: keyof OutcomeCounts, readings = 1): void {
    if (this.last?.message !== message) {
      let counts = this.messages.get(message);
      if (!counts) this.messages.set(message, (counts = noOutcomes()));
      this.last = { message, counts };
    }
    this.last.counts[outcome] += readings;
  }

  /** Written out, as all lists of messages here: most messages are in none of them, and there are thousands. */
  private where(fits: (message: Sender, counts: OutcomeCounts) => boolean): Sender[] {
    const fitting: Sender[] = [];
    this.messages.forEach((counts, message) => {
      if (fits(message, counts)) fitting.push(message);
    });
    return fitting;
  }

  /** What was committed before is not counted again. */
  async dropRepeats(client: pg.ClientBase, triedBefore = false): Promise<Set<Sender>> {
    await awaitKeyless(
      client,
      this.where((_message, counts) => sum(counts) === counts.dead_lettered),
    );
    const suspects = this.where(({ isSuspect, revoked }) => triedBefore || isSuspect || revoked?.() === true);
    const repeats = await findRepeats(client, suspects);
    for (const message of repeats) this.messages.delete(message);
    return new Set(repeats);
  }

  totals(): OutcomeCounts {
    const totals = noOutcomes();
    this.messages.forEach((counts) => add(totals, counts));
    return totals;
  }

  /**
   * Closes the dead letters that messages of this batch came from.
   * @returns where the outcomes of such messages are booked; for those left out nothing is
   */
  async settleRedriven(client: pg.ClientBase, tally: OutcomeTally): Promise<Map<Sender, OutcomePlace>> {
    const redriven = this.where(({ redrive }) => redrive !== undefined).map((message) => ({
      message,
      id: message.redrive!,
      readings: sum(this.messages.get(message)!),
    }));
    const places = new Map<Sender, OutcomePlace>();
    if (redriven.length === 0) return places;
    const settled = await settleRedriven(
      client,
      redriven.map(({ id, readings, message: { organization } }) => ({ id, readings, organization })),
      tally,
    );
    for (const { id, message } of redriven) {
      const place = settled.get(id);
      if (place) places.set(message, place);
      // Delivered twice in one batch: the first one counts.
      settled.delete(id);
    }
    return places;
  }

  /** The account's share of it. Dead letters are booked where they are filed. */
  addTo(
    tally: OutcomeTally,
    places: ReadonlyMap<Sender, OutcomePlace>,
    { receivedAt, latencyObjectiveMs }: StoreSettings,
  ): void {
    const now = receivedAt.getTime();
    this.messages.forEach((counts, message) => {
      const { organization, publishedAt, isTimed, redrive } = message;
      const place = places.get(message);
      if (redrive !== undefined && place === undefined) return;
      const publication = place === undefined ? message.publication : place.publication;
      const at = place === undefined ? publishedAt : place.at;
      for (const outcome of BOOKED_HERE) tally.add(organization, publication, at, outcome, counts[outcome]);
      const committed = sum(counts) - counts.dead_lettered;
      if (isTimed !== true || redrive !== undefined || committed === 0) return;
      const isOnTime = now - publishedAt <= latencyObjectiveMs(organization);
      tally.addLatency(organization, publication, at, isOnTime, committed);
    });
  }
}

function noOutcomes(): OutcomeCounts {
  return { stored: 0, duplicate: 0, revised: 0, staged: 0, dead_lettered: 0 };
}

function add(total: OutcomeCounts, counts: OutcomeCounts): void {
  total.stored += counts.stored;
  total.duplicate += counts.duplicate;
  total.revised += counts.revised;
  total.staged += counts.staged;
  total.dead_lettered += counts.dead_lettered;
}

function sum({ stored, duplicate, revised, staged, dead_lettered }: OutcomeCounts): number {
  return stored + duplicate + revised + staged + dead_lettered;
}

/**
 * Keeps readings of unknown meters.
 * @returns the places of those that are staged already, and the readings of organizations that do not exist
 */
async function stage(
  client: pg.ClientBase,
  readings: readonly ValidReading[],
  receivedAt: Date,
): Promise<{ repeats: Set<number>; orphans: Set<ValidReading> }> {
  const repeats = new Set<number>();
  const orphans = new Set<ValidReading>();
  if (readings.length === 0) return { repeats, orphans };
  const { rows: organizations } = await client.query<{ id: string }>(
    'select id from organization where id = any($1::uuid[])',
    [[...new Set(readings.map(({ envelope }) => envelope.organization))]],
  );
  const existing = new Set(organizations.map(({ id }) => id));
  for (const reading of readings) if (!existing.has(reading.envelope.organization)) orphans.add(reading);
  const of = <T>(column: (reading: ValidReading) => T) => readings.map(column);
  const { rows: staged } = await client.query<{ place: string }>(
    `with arrived as (
       select * from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::numeric[], $6::text[], $7::int[], $8::smallint[],
         $9::timestamptz[], $10::uuid[], $11::uuid[], $12::timestamptz[]) with ordinality
         as a (organization_id, meter, series, measured_at, value, unit, quality, origin, collected_at, message_id, publisher, published_at, place)
     ), staged as (
       insert into staged_reading (organization_id, meter, series, measured_at, value, unit, quality, origin, collected_at, message_id,
         publisher, published_at, received_at)
       select a.organization_id, meter, series, measured_at, value, unit, quality, origin, collected_at, message_id, publisher, published_at, $13
       from arrived a join organization o on o.id = a.organization_id
       order by 1, 2, 3, 4
       on conflict do nothing
       returning organization_id, meter, series, measured_at, value, message_id
     )
     select min(a.place) as place from arrived a join staged using (organization_id, meter, series, measured_at, value, message_id)
     group by organization_id, meter, series, measured_at, value, message_id`,
    [
      of(({ envelope }) => envelope.organization),
      of(({ envelope }) => envelope.meter),
      of(({ series }) => series),
      of(({ measuredAt }) => new Date(measuredAt)),
      of(({ value }) => value),
      of(({ unit }) => unit ?? null),
      of(({ quality }) => quality),
      of(({ envelope }) => READING_ORIGIN_CODES.indexOf(envelope.origin)),
      of(({ envelope }) => new Date(envelope.collectedAt)),
      of(({ envelope }) => envelope.messageId),
      of(({ envelope }) => envelope.publication?.publisher ?? null),
      of(({ envelope }) => (envelope.publication ? new Date(envelope.publication.publishedAt) : null)),
      receivedAt,
    ],
  );
  const fresh = new Set(staged.map(({ place }) => Number(place) - 1));
  readings.forEach((reading, index) => {
    if (!fresh.has(index) && !orphans.has(reading)) repeats.add(index);
  });
  return { repeats, orphans };
}

function withoutOrganization(reading: ValidReading): Rejection {
  return rejectionOf(reading, `organization: ${reading.envelope.organization} does not exist`);
}

/** Adds to the counts of the runs that read these readings. In one order for all ingesters, so that none deadlock. */
async function countOnRuns(client: pg.ClientBase, outcomes: MessageOutcomes): Promise<StoredBatch['runs']> {
  const byRun = new Map<string, { message: Sender; counts: OutcomeCounts }>();
  for (const [message, counts] of outcomes.messages) {
    if (!message.run) continue;
    const entry = byRun.get(message.run.id);
    if (entry) add(entry.counts, counts);
    else byRun.set(message.run.id, { message, counts: { ...counts } });
  }
  if (byRun.size === 0) return [];
  const runs = [...byRun].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  const { rows } = await client.query<{ id: string; organization_id: string }>(
    `with c as (
       select * from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::int[], $5::int[], $6::int[], $7::int[])
         as c (id, scheduled_for, organization_id, stored, duplicate, revised, rejected)
     ), locked as (
       select r.id, r.scheduled_for from task_run r join c using (id, scheduled_for)
       where r.organization_id = c.organization_id order by r.id for update of r
     )
     update task_run r set stored_count = stored_count + c.stored, duplicate_count = duplicate_count + c.duplicate,
       revised_count = revised_count + c.revised, rejected_count = rejected_count + c.rejected
     from c join locked using (id, scheduled_for)
     where r.id = c.id and r.scheduled_for = c.scheduled_for
     returning r.id, r.organization_id`,
    [
      runs.map(({ message }) => message.run!.id),
      runs.map(({ message }) => new Date(message.run!.scheduledFor)),
      runs.map(({ message }) => message.organization),
      runs.map(({ counts }) => counts.stored),
      runs.map(({ counts }) => counts.duplicate),
      runs.map(({ counts }) => counts.revised),
      runs.map(({ counts }) => counts.dead_lettered),
    ],
  );
  return rows;
}
