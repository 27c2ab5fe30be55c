import type pg from 'pg';
import type { Verdict } from '../../domain/revision.js';
import type { CommittedBatch, CommittedColumns } from '../../messaging/contracts.js';
import type { RegisterTarget } from './directory.js';
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
    const isReadingLate = isLate(reading);
    if (isReadingLate) late++;
    append(logOf(logs, reading.envelope.organization), reading, verdict.outcome !== 'stored', isReadingLate);
  }
  if (logs.size === 0) return 0;
  for (const [organization, { columns, count }] of logs) {
    const body: CommittedBatch = {
      received_at: receivedAt.getTime(),
      columns,
    };
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
  columns: CommittedColumns[];
  /** Few of each register. */
  byTarget: Map<RegisterTarget, Column[]>;
  count: number;
}

/** What the readings in a column have in common. */
interface Column {
  readonly committed: CommittedColumns;
  readonly place: EnrichedReading['place'];
  readonly isRevised: boolean;
}

function logOf(logs: Map<string, Log>, organization: string): Log {
  let log = logs.get(organization);
  if (!log) logs.set(organization, (log = { columns: [], byTarget: new Map(), count: 0 }));
  return log;
}

function append(log: Log, reading: EnrichedReading, isRevised: boolean, isLate: boolean): void {
  const { target, place, envelope, measuredAt, value, quality } = reading;
  const { origin } = envelope;
  log.count++;
  const siblings = log.byTarget.get(target);
  for (const sibling of siblings ?? []) {
    const { committed } = sibling;
    if (
      sibling.place?.metering_point === place?.metering_point &&
      committed.origin === origin &&
      sibling.isRevised === isRevised
    ) {
      if (isLate) (committed.late ??= []).push(committed.t.length);
      committed.t.push(measuredAt);
      committed.v.push(value);
      committed.q.push(quality);
      return;
    }
  }
  const { register, meter, series, unit } = target;
  const committed: CommittedColumns = {
    register,
    meter,
    series,
    unit,
    origin,
    place,
    t: [measuredAt],
    v: [value],
    q: [quality],
  };
  if (isRevised) committed.revised = true;
  if (isLate) committed.late = [0];
  log.columns.push(committed);
  const column = { committed, place, isRevised };
  if (siblings) siblings.push(column);
  else log.byTarget.set(target, [column]);
}
