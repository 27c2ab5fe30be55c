import type pg from 'pg';
import { inTransaction } from '../db/database.js';
import { planByIndex } from '../db/plans.js';
import { READING_ORIGIN_CODES, type ReadingOrigin } from '../domain/enums.js';
import { OutcomeTally, type Publication } from './ingest/outcomes.js';
import { knownNames, namesOfMeters, type KnownName } from './staged-names.js';

/** Readings in one transaction. */
const BATCH = 2_000;

/** A reading that leaves the stage. Instants are milliseconds since the epoch. */
export interface PromotedReading {
  readonly organization: string;
  /** Id of its meter, whatever the message called it. */
  readonly meter: string;
  readonly series: string;
  readonly measuredAt: number;
  readonly value: string;
  readonly unit: string | undefined;
  readonly quality: number;
  readonly origin: ReadingOrigin;
  readonly receivedAt: number;
  readonly collectedAt: number | undefined;
  readonly messageId: string | undefined;
  readonly publication: Publication | undefined;
  /** As the message says, also of a publisher that reports nothing. */
  readonly publishedAt: number | undefined;
}

export interface PromotionScope {
  /** Between two batches. */
  readonly signal?: AbortSignal;
  /** Readings of these meters alone, which were created or renamed. @default those of all meters */
  readonly of?: { readonly organization: string; readonly meters: readonly string[] };
}

/**
 * Stores staged readings whose meter exists by now; they leave the stage, and its account, in the transaction that stores
 * them. `enrich` finds their places beforehand; their meters exist and cannot be deleted until the end. `write` stores them,
 * books what became of them, and throws where it cannot: then the batch waits for the next look.
 *
 * Swept, not only done at the meter's creation: a reading staged at that very moment would be forgotten.
 * @returns how many left the stage
 */
export async function promoteStaged<Enriched>(
  pool: pg.Pool,
  enrich: (readings: PromotedReading[]) => Promise<Enriched>,
  write: (client: pg.PoolClient, enriched: Enriched) => Promise<unknown>,
  { signal, of }: PromotionScope = {},
): Promise<number> {
  let promoted = 0;
  const names = of ? [await namesOfMeters(pool, of.organization, of.meters)] : knownNames(pool);
  for await (const known of names) {
    for (let taken = BATCH; taken === BATCH && !signal?.aborted; promoted += taken) {
      taken = await inTransaction(pool, (client) => promoteBatch(client, known, enrich, write));
    }
    if (signal?.aborted) break;
  }
  return promoted;
}

async function promoteBatch<Enriched>(
  client: pg.PoolClient,
  known: readonly KnownName[],
  enrich: (readings: PromotedReading[]) => Promise<Enriched>,
  write: (client: pg.PoolClient, enriched: Enriched) => Promise<unknown>,
): Promise<number> {
  const rows = await takeFromStage(client, known);
  if (rows.length === 0) return 0;
  const tally = new OutcomeTally();
  const readings = rows.map(promotedReading);
  for (const { organization, publication, publishedAt, receivedAt } of readings) {
    tally.add(organization, publication, publishedAt ?? receivedAt, 'staged', -1);
  }
  await write(client, await enrich(readings));
  await tally.book(client);
  return rows.length;
}

interface StagedRow {
  organization: string;
  target: string;
  series: string;
  measuredAt: Date;
  value: string;
  unit: string | null;
  quality: number;
  origin: number;
  receivedAt: Date;
  collectedAt: Date | null;
  messageId: string | null;
  publisher: string | null;
  publishedAt: Date | null;
}

/** Deletes up to a batch of readings that wait under these names, and returns them. Others' rows are passed over. */
async function takeFromStage(client: pg.PoolClient, known: readonly KnownName[]): Promise<StagedRow[]> {
  await planByIndex(client);
  const { rows } = await client.query<StagedRow>(
    `with known as (
       select k.* from unnest($1::uuid[], $2::text[], $3::uuid[]) as k (organization_id, meter, target)
       join meter_device m on m.id = k.target order by m.id for key share of m
     ), taken as (
       select s.id, k.target from known k
       cross join lateral (
         select id from staged_reading where organization_id = k.organization_id and meter = k.meter
         order by organization_id, meter limit $4 for update skip locked) s
       limit $4)
     delete from staged_reading s using taken t where s.id = t.id
     returning s.organization_id as organization, t.target, s.series, s.measured_at as "measuredAt", s.value, s.unit, s.quality,
       s.origin, s.received_at as "receivedAt", s.collected_at as "collectedAt", s.message_id as "messageId", s.publisher,
       s.published_at as "publishedAt"`,
    [
      known.map(({ organization }) => organization),
      known.map(({ meter }) => meter),
      known.map(({ target }) => target),
      BATCH,
    ],
  );
  return rows;
}

function promotedReading({ target, publisher, ...row }: StagedRow): PromotedReading {
  const publishedAt = row.publishedAt?.getTime();
  return {
    organization: row.organization,
    meter: target,
    series: row.series,
    measuredAt: row.measuredAt.getTime(),
    value: row.value,
    unit: row.unit ?? undefined,
    quality: row.quality,
    origin: READING_ORIGIN_CODES[row.origin]!,
    receivedAt: row.receivedAt.getTime(),
    collectedAt: row.collectedAt?.getTime(),
    messageId: row.messageId ?? undefined,
    publication: publisher !== null && publishedAt !== undefined ? { publisher, publishedAt } : undefined,
    publishedAt,
  };
}
