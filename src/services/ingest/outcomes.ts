import type pg from 'pg';
import { parseInstant } from '../../domain/instant.js';
import { isUuid } from '../../domain/uuid.js';

/** What can become of a published reading. */
export const OUTCOMES = ['stored', 'duplicate', 'revised', 'staged', 'dead_lettered', 'discarded'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Who published a message, where the publisher reports what it publishes. */
export interface Publication {
  readonly publisher: string;
  /** Milliseconds since the epoch. */
  readonly publishedAt: number;
}

const MINUTE_MS = 60_000;

const OLDEST = Date.UTC(2000, 0, 1);
const AHEAD_MS = 86_400_000;

/** Whether the account can have it: a minute far ahead would stay in it for ever. Milliseconds since the epoch. */
export function isPublishingTime(at: number, now = Date.now()): boolean {
  return at >= OLDEST && at <= now + AHEAD_MS;
}

/** From the fields of a message; undefined where they do not say who and when. */
export function publicationOf(publisher: unknown, publishedAt: unknown, now?: number): Publication | undefined {
  if (typeof publisher !== 'string' || !isUuid(publisher) || typeof publishedAt !== 'string') return undefined;
  const at = parseInstant(publishedAt);
  return at !== undefined && isPublishingTime(at, now)
    ? { publisher: publisher.toLowerCase(), publishedAt: at }
    : undefined;
}

interface Row extends Record<Outcome, number> {
  organization: string;
  minute: number;
  publisher: string | null;
  onTime: number;
  timed: number;
}

/**
 * What one transaction does with readings, by organization, minute of publishing and publisher. Counts may be negative:
 * promotion and redrive move readings from one outcome to another.
 */
export class OutcomeTally {
  private readonly rows = new Map<string, Row>();
  private last: Row | undefined;

  /** @param at minute the reading counts for where its publisher reports nothing; ms since the epoch */
  add(organization: string, publication: Publication | undefined, at: number, outcome: Outcome, count = 1): void {
    if (count !== 0) this.row(organization, publication, at)[outcome] += count;
  }

  /** Readings whose time from publishing to commit is known, and whether it kept the objective. */
  addLatency(
    organization: string,
    publication: Publication | undefined,
    at: number,
    isOnTime: boolean,
    count = 1,
  ): void {
    const row = this.row(organization, publication, at);
    row.timed += count;
    if (isOnTime) row.onTime += count;
  }

  /** Writes the tally within the caller's transaction. Appends only, so that no transaction waits for another. */
  async book(client: Pick<pg.ClientBase, 'query'>): Promise<void> {
    const rows = [...this.rows.values()];
    if (rows.length === 0) return;
    await client.query(
      `insert into reading_outcome (organization_id, minute, publisher, ${OUTCOMES.join(', ')}, on_time, timed)
       select * from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], ${OUTCOMES.map((_, n) => `$${n + 4}::int[]`).join(', ')}, $10::int[], $11::int[])`,
      [
        rows.map((row) => row.organization),
        rows.map((row) => new Date(row.minute)),
        rows.map((row) => row.publisher),
        ...OUTCOMES.map((outcome) => rows.map((row) => row[outcome])),
        rows.map((row) => row.onTime),
        rows.map((row) => row.timed),
      ],
    );
  }

  private row(organization: string, publication: Publication | undefined, at: number): Row {
    const minute = Math.floor((publication?.publishedAt ?? at) / MINUTE_MS) * MINUTE_MS;
    const publisher = publication?.publisher ?? null;
    // Messages that follow each other mostly share it.
    if (this.last?.minute === minute && this.last.publisher === publisher && this.last.organization === organization) {
      return this.last;
    }
    const key = `${organization} ${minute} ${publisher}`;
    let row = this.rows.get(key);
    if (!row) {
      const zero = { stored: 0, duplicate: 0, revised: 0, staged: 0, dead_lettered: 0, discarded: 0 };
      this.rows.set(key, (row = { organization, minute, publisher, ...zero, onTime: 0, timed: 0 }));
    }
    return (this.last = row);
  }
}
