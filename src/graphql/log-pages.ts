import type pg from 'pg';
import { retryRead } from '../db/retry-read.js';
import { CommittedBatch, decode } from '../messaging/contracts.js';
import type { Logger } from '../telemetry.js';
import type { LoggedBatch } from './recent-batches.js';

/** Rows and bytes of one page; a single larger row is a page of its own. */
const PAGE_ROWS = 500;
const PAGE_BYTES = 1_000_000;

type Queryable = Pick<pg.Pool, 'query'>;

/** Numbered rows of the reading log from `position` on, in order, up to one page. */
export async function readLogPage(pool: Queryable, position: number, log: Logger): Promise<LoggedBatch[]> {
  // octet_length of an uncompressed toasted value reads its header only, so the bodies beyond the page are not fetched.
  const { rows } = await retryRead(() =>
    pool.query<{ position: string; organization_id: string; body: string }>(
      `select position, organization_id, body
       from (select *, sum(octet_length(body)) over (order by position) - octet_length(body) as bytes_before
               from (select position, organization_id, body from reading_log
                      where position >= $1 order by position limit ${PAGE_ROWS}) page) sized
      where bytes_before < ${PAGE_BYTES}
      order by position`,
      [position],
    ),
  );
  return rows.map((row) => {
    const body = Buffer.from(row.body);
    const parsed = decode(CommittedBatch, body);
    if (!parsed.ok)
      log.error({ position: row.position, reason: parsed.reason }, 'a row of the reading log cannot be read');
    return {
      position: Number(row.position),
      organization: row.organization_id,
      // An unreadable row has no readings to show; it must not hold up those behind it.
      batch: parsed.ok ? parsed.message : { received_at: 0, columns: [] },
      bytes: body.length,
    };
  });
}

/** The last position given, and the first one at or behind `position` that still exists (head + 1 when there is none). */
export async function logBounds(pool: Queryable, position: number): Promise<{ head: number; next: number }> {
  const { rows } = await retryRead(() =>
    pool.query<{ head: string; next: string | null }>(
      `select position as head,
            (select position from reading_log where position >= $1 order by position limit 1) as next
       from reading_log_head`,
      [position],
    ),
  );
  const head = Number(rows[0]!.head);
  return { head, next: rows[0]!.next === null ? head + 1 : Number(rows[0]!.next) };
}
