import type { Database } from '../db/database.js';

/** A register with its relations as ids. */
export interface RegisterRow {
  readonly id: number;
  readonly meterDeviceId: string;
  readonly seriesId: string;
}

/** Time of the oldest and the newest reading. */
export interface ReadingSpan {
  readonly first: Date | null;
  readonly last: Date | null;
}

/** The series that meters have readings of. */
export class RegisterService {
  constructor(private readonly database: Database) {}

  /** Registers of each meter that has any, oldest first. */
  async ofMeters(organizationId: string, meterIds: readonly string[]): Promise<Map<string, RegisterRow[]>> {
    const { rows } = await this.database.pool.query<RegisterRow>(
      `select r.id, r.meter_device_id as "meterDeviceId", r.series_id as "seriesId"
         from register r join meter_device m on m.id = r.meter_device_id
        where m.organization_id = $1 and r.meter_device_id = any($2::uuid[]) order by r.id`,
      [organizationId, meterIds],
    );
    const grouped = new Map<string, RegisterRow[]>();
    for (const row of rows) {
      const registers = grouped.get(row.meterDeviceId);
      if (registers) registers.push(row);
      else grouped.set(row.meterDeviceId, [row]);
    }
    return grouped;
  }

  /** Span of each register: two index look-ups, however many readings there are. */
  async spans(registerIds: readonly number[]): Promise<Map<number, ReadingSpan>> {
    const { rows } = await this.database.pool.query<ReadingSpan & { id: number }>(
      `select r.id,
              (select measured_at from meter_reading where register_id = r.id order by measured_at limit 1) as first,
              (select measured_at from meter_reading where register_id = r.id order by measured_at desc limit 1) as last
         from unnest($1::int[]) as r(id)`,
      [registerIds],
    );
    return new Map(rows.map(({ id, ...span }) => [id, span]));
  }

  /** Time of the newest reading of each meter that has any. */
  async lastReadingAt(meterIds: readonly string[]): Promise<Map<string, Date>> {
    const { rows } = await this.database.pool.query<{ id: string; last: Date }>(
      `select r.meter_device_id as id, max(newest.measured_at) as last
         from register r cross join lateral (
           select measured_at from meter_reading where register_id = r.id order by measured_at desc limit 1) newest
        where r.meter_device_id = any($1::uuid[]) group by 1`,
      [meterIds],
    );
    return new Map(rows.map(({ id, last }) => [id, last]));
  }
}
