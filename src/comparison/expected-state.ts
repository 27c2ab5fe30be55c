import { createHash } from 'node:crypto';
import type pg from 'pg';
import { canonicalDecimal } from '../domain/decimal.js';
import { countReadings, type Load, type LoadMessage } from './load.js';

/** What is in a database after a load, or must be. */
export interface FinalState {
  stored: number;
  revisions: number;
  deadLettered: number;
  staged: number;
  /** Over meter, series, time and value of what is stored: equal for equal readings, in whatever order they came. */
  digest: string;
}

/**
 * What must be stored when these messages have been ingested: of two values for one time of a meter the one that was collected first,
 * with the message id to decide; the other is kept as a revision.
 */
export function expectedState(load: Load, messages: readonly LoadMessage[]): FinalState {
  const current = new Map<string, { value: string; rank: string }>();
  const others = new Map<string, Set<string>>();
  for (const { messageId, readings } of messages) {
    if (readings.length === 0) continue;
    const rank = `${new Date(readings.at(-1)!.measuredAt).toISOString()} ${messageId}`;
    for (const { meter, measuredAt, value: text } of readings) {
      const key = keyOf(load.meters[meter]!, load.series, measuredAt);
      const value = canonicalDecimal(text);
      const known = current.get(key);
      if (!known || rank < known.rank) current.set(key, { value, rank });
      if (!known || known.value === value) continue;
      let values = others.get(key);
      if (!values) others.set(key, (values = new Set()));
      values.add(known.value).add(value);
    }
  }
  const lines = [...current].map(([key, { value }]) => md5(`${key}|${value}`));
  return {
    stored: current.size,
    // All values of a key but the one that is current.
    revisions: [...others.values()].reduce((sum, values) => sum + values.size - 1, 0),
    deadLettered: countReadings(messages.filter(({ poison }) => poison !== undefined)),
    staged: 0,
    digest: createHash('sha256').update(lines.sort().join('')).digest('hex'),
  };
}

/** What the database of one run holds. */
export async function storedState(client: Pick<pg.ClientBase, 'query'>): Promise<FinalState> {
  const { rows } = await client.query<FinalState>(
    `select (select count(*) from meter_reading)::int as stored,
       (select count(*) from meter_reading_revision)::int as revisions,
       (select coalesce(sum(reading_count), 0) from dead_letter)::int as "deadLettered",
       (select count(*) from staged_reading)::int as staged,
       (select encode(sha256(convert_to(coalesce(string_agg(line, '' order by line collate "C"), ''), 'UTF8')), 'hex')
        from (
          select md5(m.name || '|' || s.name || '|' || (extract(epoch from r.measured_at) * 1000)::bigint || '|' || trim_scale(r.value)) as line
          from meter_reading r join register g on g.id = r.register_id
          join meter_device m on m.id = g.meter_device_id join series s on s.id = g.series_id) l) as digest`,
  );
  return rows[0]!;
}

/** What differs from what was expected, in words; empty when nothing does. */
export function differences(expected: FinalState, found: FinalState): string[] {
  const counts = (['stored', 'revisions', 'deadLettered', 'staged'] as const).filter(
    (name) => expected[name] !== found[name],
  );
  const words = counts.map((name) => `${name}: expected ${expected[name]}, found ${found[name]}`);
  if (words.length === 0 && expected.digest !== found.digest) words.push('the values stored are not those expected');
  return words;
}

function keyOf(meter: string, series: string, measuredAt: number): string {
  return `${meter}|${series}|${measuredAt}`;
}

function md5(line: string): string {
  return createHash('md5').update(line).digest('hex');
}
