import type pg from 'pg';
import { inTransaction } from './database.js';

/** Rows, and bytes of bodies, handled at once; a single larger row is handled alone. */
const PAGE_ROWS = 200;
const PAGE_BYTES = 4_000_000;

/** A committed batch with its place in the order of all. */
export interface NumberedRow {
  position: string;
  organization_id: string;
  /** JSON of a `CommittedBatch`. */
  body: string;
}

/** How far the log has been numbered and passed on. */
export interface LogHead {
  /** The last position given. */
  readonly position: number;
  /** The last position that was broadcast. */
  readonly published: number;
  /** The last position that the topic exchange has confirmed; undefined before it was first switched on. */
  readonly exchanged: number | undefined;
}

export async function readLogHead(pool: Pick<pg.Pool, 'query'>): Promise<LogHead> {
  const { rows } = await pool.query<{ position: string; published: string; exchanged: string | null }>(
    'select position, published, exchanged from reading_log_head',
  );
  const { position, published, exchanged } = rows[0]!;
  return {
    position: Number(position),
    published: Number(published),
    exchanged: exchanged === null ? undefined : Number(exchanged),
  };
}

/**
 * Gives the next positions to committed rows that have none, oldest first, up to one page. The head row is the lock of
 * last resort. In passing it notes what has been `published`, which would otherwise cost a transaction of its own.
 */
export async function numberCommitted(pool: pg.Pool, published = 0): Promise<NumberedRow[]> {
  return inTransaction(pool, async (client) => {
    const { rows: heads } = await client.query<{ position: string }>(
      'select position from reading_log_head for update',
    );
    // octet_length of an uncompressed toasted value reads its header only, so the bodies beyond the page are not fetched.
    const { rows } = await client.query<NumberedRow>(
      `with next as (
         select id, committed_at, $1::bigint + row_number() over (order by id) as position
         from (
           select id, committed_at, sum(octet_length(body)) over (order by id) - octet_length(body) as bytes_before
           from (select id, committed_at, body from reading_log where position is null order by id limit $2) unnumbered
         ) sized
         where bytes_before < $3
       ), numbered as (
         update reading_log l set position = next.position from next
         where l.id = next.id and l.committed_at = next.committed_at
         returning l.position, l.organization_id, l.body
       ), moved as (
         update reading_log_head set position = newest.position, published = greatest(published, $4::bigint)
         from (select max(position) as position from numbered) newest where newest.position is not null
       )
       select * from numbered order by position`,
      [heads[0]!.position, PAGE_ROWS, PAGE_BYTES, published],
    );
    return rows;
  });
}

/** Whether the page may have been cut: by rows, or (as the next row may be large) by bytes. */
export function mayHaveMore(page: readonly NumberedRow[]): boolean {
  return page.length >= PAGE_ROWS || page.reduce((sum, { body }) => sum + body.length, 0) > PAGE_BYTES / 4;
}

/** Numbered rows behind `position`, in order, up to one page. Positions that have been dropped with their day are left out. */
export async function readNumberedAfter(pool: Pick<pg.Pool, 'query'>, position: number): Promise<NumberedRow[]> {
  const { rows } = await pool.query<NumberedRow>(
    `select position, organization_id, body
     from (select *, sum(octet_length(body)) over (order by position) - octet_length(body) as bytes_before
             from (select position, organization_id, body from reading_log
                    where position > $1 order by position limit ${PAGE_ROWS}) page) sized
     where bytes_before < ${PAGE_BYTES}
     order by position`,
    [position],
  );
  return rows;
}

/**
 * Notes how far the log has been passed on; never backwards, as a predecessor may write late. Without waiting for the
 * disk: who numbers waits for this row, and a note that a crash loses only means that something is passed on twice.
 */
export async function notePassedOn(pool: pg.Pool, cursor: 'published' | 'exchanged', position: number): Promise<void> {
  await inTransaction(pool, async (client) => {
    await client.query('set local synchronous_commit = off');
    await client.query(`update reading_log_head set ${cursor} = greatest(${cursor}, $1::bigint)`, [position]);
  });
}
