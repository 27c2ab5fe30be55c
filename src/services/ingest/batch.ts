import type pg from 'pg';
import { fileDeadLetters } from '../dead-letters.js';
import { storeReadings } from '../../db/reading-store.js';
import { READING_ORIGIN_CODES } from '../../domain/enums.js';
import type { CommittedBatch, CommittedColumns } from '../../messaging/contracts.js';
import type { EnrichedReading } from './enrich.js';
import type { Rejection, ValidReading } from './validate.js';

/** The readings of some messages, validated and enriched, to be committed together. */
export interface Batch {
  known: readonly EnrichedReading[];
  /** Of meters nobody has created yet. */
  unknown: readonly ValidReading[];
  rejections: readonly Rejection[];
}

export interface BatchOutcome {
  stored: number;
  duplicate: number;
  revised: number;
  staged: number;
  rejected: number;
  /** Runs whose counts changed. */
  runs: { id: string; organization_id: string }[];
}

interface RunCounts {
  organization: string;
  scheduledFor: number;
  stored: number;
  duplicate: number;
  revised: number;
  rejected: number;
}

/**
 * Writes a batch and its log rows in the caller's transaction: readings, revisions, staged readings, dead letters and
 * the counts of the runs that read them commit together or not at all.
 */
export async function writeBatch(client: pg.ClientBase, batch: Batch, receivedAt: Date): Promise<BatchOutcome> {
  const outcome: BatchOutcome = { stored: 0, duplicate: 0, revised: 0, staged: 0, rejected: 0, runs: [] };
  const counts = new Map<string, RunCounts>();

  const outcomes = batch.known.length > 0 ? await storeReadings(client, batch.known, receivedAt) : [];
  outcomes.forEach((kind, index) => {
    outcome[kind] += 1;
    const { run, organization } = batch.known[index]!;
    if (run) countsOf(counts, run, organization)[kind] += 1;
  });
  const orphans = await stage(client, batch.unknown, receivedAt);
  outcome.staged = batch.unknown.length - orphans.length;

  const rejections = [...batch.rejections, ...orphans];
  outcome.rejected = rejections.length;
  for (const { run, organization } of rejections) if (run) countsOf(counts, run, organization).rejected += 1;
  await fileDeadLetters(
    client,
    rejections.flatMap(({ organization, reason, body }) =>
      body ? [{ organization, reason, body, queue: 'readings.new' }] : [],
    ),
  );

  if (outcome.stored > 0)
    await appendLog(
      client,
      batch.known.filter((_, index) => outcomes[index] === 'stored'),
      receivedAt,
    );
  outcome.runs = await countOnRuns(client, counts);
  return outcome;
}

function countsOf(
  counts: Map<string, RunCounts>,
  run: NonNullable<ValidReading['run']>,
  organization: string,
): RunCounts {
  let entry = counts.get(run.id);
  if (!entry) {
    entry = { organization, scheduledFor: run.scheduledFor, stored: 0, duplicate: 0, revised: 0, rejected: 0 };
    counts.set(run.id, entry);
  }
  return entry;
}

/** Keeps readings of unknown meters. Returns those of organizations that do not exist, as rejections. */
async function stage(client: pg.ClientBase, readings: readonly ValidReading[], receivedAt: Date): Promise<Rejection[]> {
  if (readings.length === 0) return [];
  const { rows } = await client.query<{ id: string }>('select id from organization where id = any($1::uuid[])', [
    [...new Set(readings.map((reading) => reading.organization))],
  ]);
  const organizations = new Set(rows.map((row) => row.id));
  const kept = readings.filter((reading) => organizations.has(reading.organization));
  await client.query(
    `insert into staged_reading (organization_id, meter, series, measured_at, value, unit, quality, origin, received_at)
     select s.*, $9 from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::numeric[], $6::text[], $7::int[], $8::smallint[]) as s
     on conflict do nothing`,
    [
      kept.map((reading) => reading.organization),
      kept.map((reading) => reading.meter),
      kept.map((reading) => reading.series),
      kept.map((reading) => new Date(reading.measuredAt)),
      kept.map((reading) => reading.value),
      kept.map((reading) => reading.unit ?? null),
      kept.map((reading) => reading.quality),
      kept.map((reading) => READING_ORIGIN_CODES.indexOf(reading.origin)),
      receivedAt,
    ],
  );
  return readings
    .filter((reading) => !organizations.has(reading.organization))
    .map((reading) => ({
      organization: reading.organization,
      reason: `organization: ${reading.organization} does not exist`,
      body: asMessage(reading),
      run: reading.run,
    }));
}

/** The outbox: one row per organization, numbered and published by the relay after this transaction has committed. */
async function appendLog(client: pg.ClientBase, stored: readonly EnrichedReading[], receivedAt: Date): Promise<void> {
  const byOrganization = new Map<string, { columns: Map<string, CommittedColumns>; count: number }>();
  for (const { organization, target, origin, measuredAt, value, quality } of stored) {
    let log = byOrganization.get(organization);
    if (!log) byOrganization.set(organization, (log = { columns: new Map(), count: 0 }));
    const key = `${target.register} ${origin}`;
    let column = log.columns.get(key);
    if (!column) {
      column = {
        register: target.register,
        meter: target.meter,
        series: target.series,
        unit: target.unit,
        origin,
        t: [],
        v: [],
        q: [],
      };
      log.columns.set(key, column);
    }
    column.t.push(measuredAt);
    column.v.push(value);
    column.q.push(quality);
    log.count += 1;
  }
  for (const [organization, log] of byOrganization) {
    const body: CommittedBatch = { received_at: receivedAt.getTime(), columns: [...log.columns.values()] };
    await client.query('insert into reading_log (organization_id, reading_count, body) values ($1, $2, $3)', [
      organization,
      log.count,
      JSON.stringify(body),
    ]);
  }
  await client.query(`select pg_notify('amr_relay', '')`);
}

/** Adds to the counts of the runs that read these readings. In one order for all ingesters, so that none deadlock. */
async function countOnRuns(
  client: pg.ClientBase,
  counts: ReadonlyMap<string, RunCounts>,
): Promise<BatchOutcome['runs']> {
  if (counts.size === 0) return [];
  const runs = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
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
      runs.map(([id]) => id),
      runs.map(([, run]) => new Date(run.scheduledFor)),
      runs.map(([, run]) => run.organization),
      runs.map(([, run]) => run.stored),
      runs.map(([, run]) => run.duplicate),
      runs.map(([, run]) => run.revised),
      runs.map(([, run]) => run.rejected),
    ],
  );
  return rows;
}

/** A reading as the message it would be alone, for the dead letter. */
function asMessage(reading: ValidReading): Buffer {
  return Buffer.from(
    JSON.stringify({
      version: 1,
      organization: reading.organization,
      meter_device: reading.meter,
      origin: reading.origin,
      readings: [
        {
          series: reading.series,
          timestamp: new Date(reading.measuredAt).toISOString(),
          value: reading.value,
          unit: reading.unit,
          status: reading.quality,
        },
      ],
    }),
  );
}
