import type pg from 'pg';
import type { Verdict } from '../../domain/revision.js';
import type { CommittedBatch, CommittedColumns } from '../../messaging/contracts.js';
import type { EnrichedReading } from './enrich.js';
import { lateness } from './watermarks.js';

/**
 * Hands a batch on to billing, analytics and live clients: one log row per organization with what became current by it, in the
 * caller's transaction. The log is the outbox: the relay numbers and publishes its rows after the commit.
 * @returns how many readings were late
 */
export async function logBatch(
  client: pg.ClientBase,
  readings: readonly EnrichedReading[],
  verdicts: readonly Verdict[],
  receivedAt: Date,
): Promise<number> {
  const isLate = lateness();
  const logs = new Map<string, Log>();
  let late = 0;
  for (let index = 0; index < readings.length; index++) {
    const verdict = verdicts[index]!;
    if (!verdict.isCurrent) continue;
    const reading = readings[index]!;
    const log = logOf(logs, reading.envelope.organization);
    const column = columnOf(log, reading, verdict.outcome !== 'stored');
    if (isLate(reading)) {
      late++;
      (column.late ??= []).push(column.t.length);
    }
    column.t.push(reading.measuredAt);
    column.v.push(reading.value);
    column.q.push(reading.quality);
    log.count++;
  }
  if (logs.size === 0) return 0;
  for (const [organization, { columns, count }] of logs) {
    const body: CommittedBatch = { received_at: receivedAt.getTime(), columns: [...columns.values()] };
    // Wakes the relay with the commit.
    await client.query(
      `with logged as (insert into reading_log (organization_id, reading_count, body) values ($1, $2, $3) returning 1)
       select pg_notify('amr_relay', '') from logged`,
      [organization, count, JSON.stringify(body)],
    );
  }
  return late;
}

interface Log {
  columns: Map<string, CommittedColumns>;
  count: number;
  /** Readings of a meter mostly come one after another. */
  last?: { reading: EnrichedReading; isRevised: boolean; column: CommittedColumns };
}

function logOf(logs: Map<string, Log>, organization: string): Log {
  let log = logs.get(organization);
  if (!log) logs.set(organization, (log = { columns: new Map(), count: 0 }));
  return log;
}

function columnOf(log: Log, reading: EnrichedReading, isRevised: boolean): CommittedColumns {
  const { target, place, envelope } = reading;
  const { last } = log;
  if (
    last?.reading.target === target &&
    last.reading.place === place &&
    last.reading.envelope.origin === envelope.origin &&
    last.isRevised === isRevised
  ) {
    return last.column;
  }
  const key = `${target.register} ${envelope.origin} ${place?.metering_point ?? ''} ${isRevised}`;
  let column = log.columns.get(key);
  if (!column) {
    const { register, meter, series, unit } = target;
    column = { register, meter, series, unit, origin: envelope.origin, place, t: [], v: [], q: [] };
    if (isRevised) column.revised = true;
    log.columns.set(key, column);
  }
  log.last = { reading, isRevised, column };
  return column;
}
