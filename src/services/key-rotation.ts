import type pg from 'pg';
import { keyIdOf, seal, type KeyRing } from '../credentials.js';
import { inTransaction } from '../db/database.js';
import { messageOf } from '../errors.js';
import { recordAudit } from './audit.js';

/** A pass that finds boxes changed under its hands is followed by another; what is left after these is told. */
const MAX_PASSES = 5;
/** Meters whose credentials cannot be opened that are named. */
const MOST_NAMED = 20;
const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';

export interface RotationOptions {
  /** Opens what is stored. */
  readonly ring: KeyRing;
  /** Seals it anew. */
  readonly publicKey: string;
  /** Meters in one transaction. @default 500 */
  readonly batch?: number;
  /** Opens all credentials and writes none. @default false */
  readonly dryRun?: boolean;
  /** Between two batches. */
  readonly signal?: AbortSignal;
  /** So many meters more were looked at. */
  readonly onProgress?: (meters: number) => void;
}

export interface Rotation {
  /** Meters that have, or in a dry run would have, a new box. */
  resealed: number;
  /** Meters whose box did not open, and stays. */
  unreadable: number;
  /** Some of them, and why. */
  named: { meter: string; reason: string }[];
}

interface Sealed {
  id: string;
  organization: string;
  name: string;
  credentials: Buffer;
}

/**
 * Seals the credentials of all meters for another key, while everything works on: pollers hold old and new key meanwhile. A
 * box that changes at the same moment is left to its writer. Broken off, it goes on where it was: what is done has the new key.
 */
export async function rotateCredentials(pool: pg.Pool, options: RotationOptions): Promise<Rotation> {
  let resealed = 0;
  for (let pass = 1; ; pass++) {
    const found = await onePass(pool, options);
    resealed += found.resealed;
    const done = found.missed === 0 || options.dryRun || pass === MAX_PASSES || options.signal?.aborted;
    if (done) return { resealed, unreadable: found.unreadable, named: found.named };
  }
}

async function onePass(
  pool: pg.Pool,
  { ring, publicKey, batch = 500, dryRun = false, signal, onProgress }: RotationOptions,
): Promise<Rotation & { missed: number }> {
  const result = { resealed: 0, unreadable: 0, named: [] as Rotation['named'], missed: 0 };
  for (let after: string | undefined = BEFORE_ALL; after !== undefined && !signal?.aborted;) {
    const meters = await sealedForOthers(pool, publicKey, after, batch);
    const boxes = new Map<Sealed, Buffer>();
    for (const meter of meters) {
      try {
        boxes.set(meter, seal(publicKey, meter.id, ring.open(meter.id, meter.credentials)));
      } catch (error) {
        result.unreadable++;
        if (result.named.length < MOST_NAMED) result.named.push({ meter: meter.name, reason: messageOf(error) });
      }
    }
    const written = dryRun ? boxes.size : await replaceBoxes(pool, publicKey, boxes);
    result.resealed += written;
    result.missed += boxes.size - written;
    onProgress?.(meters.length);
    after = meters.length === batch ? meters.at(-1)!.id : undefined;
  }
  return result;
}

// In the order of the key: however many batches, every meter is looked at once.
async function sealedForOthers(pool: pg.Pool, publicKey: string, after: string, batch: number): Promise<Sealed[]> {
  const { rows } = await pool.query<Sealed>(
    `select id, organization_id as organization, name, credentials from meter_device
     where id > $1 and credentials is not null and ${KEY_OF_BOX} is distinct from $2
     order by id limit $3`,
    [after, keyIdOf(publicKey), batch],
  );
  return rows;
}

/** The version is not touched: whoever edits the meter sees nothing of it. Nor is a rejection, as the password is the same. */
async function replaceBoxes(pool: pg.Pool, publicKey: string, boxes: ReadonlyMap<Sealed, Buffer>): Promise<number> {
  if (boxes.size === 0) return 0;
  return inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ organization: string }>(
      `update meter_device m set credentials = u.new
       from unnest($1::uuid[], $2::bytea[], $3::bytea[]) as u (id, old, new)
       where m.id = u.id and m.credentials = u.old returning m.organization_id as organization`,
      [[...boxes.keys()].map(({ id }) => id), [...boxes.keys()].map((meter) => meter.credentials), [...boxes.values()]],
    );
    const counts = new Map<string, number>();
    for (const { organization } of rows) counts.set(organization, (counts.get(organization) ?? 0) + 1);
    for (const [organization, meters] of counts) {
      await recordAudit(client, {
        organization,
        actor: 'amr keys rotate',
        action: 'rotateCredentials',
        subjectType: 'MeterDevice',
        after: { key: keyIdOf(publicKey), meters },
      });
    }
    return rows.length;
  });
}

/** How many meters have credentials sealed for which key; `?` for what is no box. */
export async function keysInUse(pool: Pick<pg.Pool, 'query'>): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ key: string | null; meters: number }>(
    `select ${KEY_OF_BOX} as key, count(*)::int as meters from meter_device
     where credentials is not null group by 1 order by 1`,
  );
  return new Map(rows.map(({ key, meters }) => [key ?? '?', meters]));
}

// Version, then the key's id: see src/credentials.ts.
const KEY_OF_BOX = `case when length(credentials) > 9 and get_byte(credentials, 0) = 1
  then encode(substring(credentials from 2 for 8), 'hex') end`;
