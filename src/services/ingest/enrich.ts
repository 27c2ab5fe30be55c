import { LRUCache } from 'lru-cache';
import type pg from 'pg';
import type { ReadingOrigin } from '../../domain/enums.js';
import { isUuid, uuidAt } from '../../domain/uuid.js';
import type { ValidReading } from './validate.js';

/** Cached rows may be this old; a renamed meter is seen under its new name at the latest then. */
const MAX_AGE_MS = 60_000;
const MAX_CACHED = 500_000;

/** Where a reading is stored. */
export interface RegisterTarget {
  register: number;
  meter: string;
  series: string;
  unit: string | null;
}

/** A reading with its place in storage. */
export interface EnrichedReading {
  organization: string;
  target: RegisterTarget;
  measuredAt: number;
  value: string;
  quality: number;
  origin: ReadingOrigin;
  run: ValidReading['run'];
}

/**
 * Finds, or makes on the first reading, the register of each reading. A register's key never changes, so a cached
 * one cannot store a value in the wrong place; the age limit is for names and units.
 */
export class RegisterDirectory {
  private readonly cache = new LRUCache<string, RegisterTarget>({ max: MAX_CACHED, ttl: MAX_AGE_MS });

  constructor(private readonly pool: pg.Pool) {}

  /** The readings of known meters with their registers, and those of meters nobody has created yet. */
  async enrich(readings: readonly ValidReading[]): Promise<{ known: EnrichedReading[]; unknown: ValidReading[] }> {
    const targets = new Map<string, RegisterTarget>();
    const missing = new Map<string, ValidReading>();
    const keys = readings.map((reading) => {
      const key = `${reading.organization} ${reading.meter} ${reading.series}`;
      if (!targets.has(key)) {
        const cached = this.cache.get(key);
        if (cached) targets.set(key, cached);
        else if (!missing.has(key)) missing.set(key, reading);
      }
      return key;
    });
    if (missing.size > 0) {
      for (const [key, target] of await this.load(missing)) {
        targets.set(key, target);
        this.cache.set(key, target);
      }
    }
    const known: EnrichedReading[] = [];
    const unknown: ValidReading[] = [];
    readings.forEach((reading, index) => {
      const target = targets.get(keys[index]!);
      if (!target) unknown.push(reading);
      else {
        known.push({
          organization: reading.organization,
          target,
          measuredAt: reading.measuredAt,
          value: reading.value,
          quality: reading.quality,
          origin: reading.origin,
          run: reading.run,
        });
      }
    });
    return { known, unknown };
  }

  /** Reads, and where needed creates, series and registers. Ordered and conflict-tolerant: any number of ingesters may meet here. */
  private async load(missing: ReadonlyMap<string, ValidReading>): Promise<Map<string, RegisterTarget>> {
    const wanted = [...missing.values()];
    const columns = [
      wanted.map((reading) => reading.organization),
      wanted.map((reading) => reading.meter),
      wanted.map((reading) => (isUuid(reading.meter) ? reading.meter : null)),
      wanted.map((reading) => reading.series),
      wanted.map((reading) => reading.unit ?? null),
    ];
    const input = `unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[]) as w (organization_id, meter, meter_id, series, unit)`;
    // An id wins over a name that looks like one.
    const meter = `
      left join meter_device by_id on by_id.id = w.meter_id and by_id.organization_id = w.organization_id
      left join meter_device by_name on by_id.id is null and by_name.organization_id = w.organization_id and by_name.name = w.meter
      cross join lateral (select coalesce(by_id.id, by_name.id) as id) m`;
    const select = `
      select w.organization_id || ' ' || w.meter || ' ' || w.series as key, r.id as register, m.id as meter, s.name as series, s.unit
      from ${input} ${meter}
      join series s on s.organization_id = w.organization_id and s.name = w.series
      join register r on r.meter_device_id = m.id and r.series_id = s.id
      where m.id is not null`;
    const found = await this.select(select, columns);
    if (found.size === wanted.length) return found;
    await this.pool.query(
      `insert into series (id, organization_id, name, unit)
       select (array_agg(w.new_id))[1], w.organization_id, w.series, min(w.unit)
       from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::uuid[]) as w (organization_id, meter, meter_id, series, unit, new_id)
       ${meter}
       where m.id is not null
       group by w.organization_id, w.series
       order by w.organization_id, w.series
       on conflict (organization_id, name) do nothing`,
      [...columns, wanted.map(() => uuidAt())],
    );
    await this.pool.query(
      `insert into register (meter_device_id, series_id)
       select distinct m.id, s.id from ${input} ${meter}
       join series s on s.organization_id = w.organization_id and s.name = w.series
       where m.id is not null
       order by 1, 2
       on conflict do nothing`,
      columns,
    );
    return this.select(select, columns);
  }

  private async select(sql: string, columns: unknown[][]): Promise<Map<string, RegisterTarget>> {
    const { rows } = await this.pool.query<RegisterTarget & { key: string }>(sql, columns);
    return new Map(rows.map(({ key, ...target }) => [key, target]));
  }
}
