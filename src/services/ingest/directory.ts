import { LRUCache } from 'lru-cache';
import type pg from 'pg';
import { canonicalDecimal, multiplyDecimals } from '../../domain/decimal.js';
import { inTransaction } from '../../db/database.js';
import { planByIndex } from '../../db/plans.js';
import { knownUnit } from '../../domain/units.js';
import { isUuid } from '../../domain/uuid.js';
import type { ValidReading } from './validate.js';

/** Cached rows may be this old; a change that was announced is seen at once. */
const MAX_AGE_MS = 300_000;
/** Meters by organization and the name they are called by. */
const MAX_METERS = 100_000;
/** Changes remembered for rows that are being read at that moment. */
const MAX_CHANGES = 100_000;

/** Where a meter was, with what billing calls it. */
export interface Place {
  readonly metering_point: string;
  readonly customer: string | null;
  readonly tariff: string | null;
}

/** A place from an instant on, to an instant excluded; milliseconds since the epoch. */
export interface Stay {
  readonly from: number;
  readonly to: number;
  readonly place: Place;
}

/** Where and how a reading is stored. */
export interface RegisterTarget {
  readonly register: number;
  readonly meter: string;
  readonly series: string;
  readonly unit: string | null;
  /** What a value is multiplied by: series multiplier and transformer ratios; undefined for 1. */
  readonly factor: string | undefined;
  /** Of the meter, in order of time. */
  readonly stays: readonly Stay[];
  /** Newest instant stored, as far as is known here; milliseconds since the epoch. */
  watermark: number;
}

interface CachedMeter {
  readonly meter: string;
  readonly organization: string;
  readonly loadedAt: number;
  readonly registers: Map<string, RegisterTarget>;
}

/** Only the part of a reading that says where it belongs. */
export type Addressed = Pick<ValidReading, 'series' | 'unit'> & {
  readonly envelope: Pick<ValidReading['envelope'], 'organization' | 'meter'>;
};

/**
 * Finds, or makes on the first reading, the register of each reading, by id, name or (where it is the only one) serial number of
 * the meter. A register's key never changes, so a cached one cannot store a value in the wrong place; announced changes and
 * the age limit are for names, units, ratios and places.
 */
export class RegisterDirectory {
  // Looked at with every message: a clock of its own, read each millisecond, would be a timer each millisecond.
  private readonly meters = new LRUCache<string, CachedMeter>({
    max: MAX_METERS,
    ttl: MAX_AGE_MS,
    ttlResolution: 1_000,
  });
  /** By meter or organization: when it last changed. What was loaded before is loaded again. */
  private readonly changes = new LRUCache<string, number>({ max: MAX_CHANGES, ttl: MAX_AGE_MS });
  private lastChangeAt = -Infinity;

  constructor(private readonly pool: pg.Pool) {}

  /** Rows of these meters, or of the whole organization, changed. */
  forget(organization: string, meters?: readonly string[]): void {
    const now = performance.now();
    this.lastChangeAt = now;
    for (const id of meters ?? [organization]) this.changes.set(id, now);
  }

  /** Changes may have been missed. */
  forgetAll(): void {
    this.meters.clear();
  }

  /** The target of each reading, by its place; undefined for those of meters nobody has created yet. */
  async resolve(readings: readonly Addressed[]): Promise<(RegisterTarget | undefined)[]> {
    const missing = new Map<string, Addressed>();
    const targets = new Array<RegisterTarget | undefined>(readings.length);
    let lastEnvelope: Addressed['envelope'] | undefined;
    let registers: ReadonlyMap<string, RegisterTarget> | undefined;
    for (let i = 0; i < readings.length; i++) {
      const reading = readings[i]!;
      const { envelope } = reading;
      if (envelope !== lastEnvelope) {
        registers = this.cached(meterKey(envelope));
        lastEnvelope = envelope;
      }
      const target = registers?.get(reading.series);
      targets[i] = target;
      if (target === undefined) {
        const key = registerKey(reading);
        // A new series takes its unit from any that says it.
        if (missing.get(key)?.unit === undefined) missing.set(key, reading);
      }
    }
    if (missing.size === 0) return targets;
    const loaded = await this.load([...missing.values()]);
    for (let i = 0; i < readings.length; i++) targets[i] ??= loaded.get(registerKey(readings[i]!));
    return targets;
  }

  private cached(key: string): ReadonlyMap<string, RegisterTarget> | undefined {
    const meter = this.meters.get(key);
    if (meter === undefined) return undefined;
    if (this.lastChangeAt < meter.loadedAt) return meter.registers;
    const changedAt = Math.max(this.changes.get(meter.meter) ?? 0, this.changes.get(meter.organization) ?? 0);
    if (changedAt >= meter.loadedAt) {
      this.meters.delete(key);
      return undefined;
    }
    return meter.registers;
  }

  /** Reads, and where needed creates, series and registers. Ordered and conflict-tolerant: any number of ingesters may meet here. */
  private async load(wanted: readonly Addressed[]): Promise<Map<string, RegisterTarget>> {
    const loadedAt = performance.now();
    const rows = await inTransaction(this.pool, async (client) => {
      await planByIndex(client);
      const found = await select(client, wanted);
      if (found.length === wanted.length) return found;
      await create(client, wanted);
      return select(client, wanted);
    });
    const targets = new Map<string, RegisterTarget>();
    for (const row of rows) {
      const reading = wanted[Number(row.place) - 1]!;
      const key = meterKey(reading.envelope);
      let meter = this.meters.get(key);
      if (meter?.meter !== row.meter) {
        meter = { meter: row.meter, organization: reading.envelope.organization, loadedAt, registers: new Map() };
        this.meters.set(key, meter);
      }
      const target = targetOf(row);
      meter.registers.set(row.series, target);
      targets.set(registerKey(reading), target);
    }
    return targets;
  }
}

async function select(client: pg.ClientBase, wanted: readonly Addressed[]): Promise<TargetRow[]> {
  const { rows } = await client.query<TargetRow>(
    `select w.place, r.id as register, m.id as meter, s.name as series, s.unit, s.multiplier,
         case when s.affected_by_current_transformer then d.current_transformer_ratio end as ct,
         case when s.affected_by_voltage_transformer then d.voltage_transformer_ratio end as vt,
         k.watermark, p.stays
       from ${WANTED} ${METER}
       join meter_device d on d.id = m.id
       join series s on s.organization_id = w.organization_id and s.name = w.series
       join register r on r.meter_device_id = m.id and r.series_id = s.id
       left join register_watermark k on k.register_id = r.id
       left join lateral (
         select json_agg(json_build_array(extract(epoch from i.installed_at) * 1000, extract(epoch from i.removed_at) * 1000,
           p.id, p.customer_reference, p.tariff_reference) order by i.installed_at) as stays
         from installation i join metering_point p on p.id = i.metering_point_id where i.meter_device_id = m.id) p on true`,
    columns(wanted),
  );
  return rows;
}

async function create(client: pg.ClientBase, wanted: readonly Addressed[]): Promise<void> {
  await client.query(
    `insert into series (id, organization_id, name, unit)
       select uuid_v7_at(now()), w.organization_id, w.series, min(w.unit)
       from ${WANTED} ${METER}
       where m.id is not null
       group by w.organization_id, w.series
       order by w.organization_id, w.series
       on conflict (organization_id, name) do nothing`,
    columns(wanted),
  );
  await client.query(
    `insert into register (meter_device_id, series_id)
       select distinct m.id, s.id from ${WANTED} ${METER}
       join series s on s.organization_id = w.organization_id and s.name = w.series
       where m.id is not null
       order by 1, 2
       on conflict do nothing`,
    columns(wanted),
  );
}

interface TargetRow {
  place: string;
  register: number;
  meter: string;
  series: string;
  unit: string | null;
  multiplier: string;
  ct: string | null;
  vt: string | null;
  watermark: Date | null;
  stays: [number, number | null, string, string | null, string | null][] | null;
}

const WANTED = `unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[]) with ordinality
  as w (organization_id, meter, meter_id, series, unit, place)`;

// An id wins over a name that looks like one, a name over a serial number; one that two meters have names neither.
const METER = `
  cross join lateral (
    select coalesce(
      (select d.id from meter_device d where d.id = w.meter_id and d.organization_id = w.organization_id),
      (select d.id from meter_device d where d.organization_id = w.organization_id and d.name = w.meter),
      (select (array_agg(d.id))[1] from meter_device d
       where d.organization_id = w.organization_id and d.serial_number = w.meter having count(*) = 1)) as id) m`;

function columns(wanted: readonly Addressed[]): unknown[][] {
  return [
    wanted.map(({ envelope }) => envelope.organization),
    wanted.map(({ envelope }) => envelope.meter),
    wanted.map(({ envelope }) => (isUuid(envelope.meter) ? envelope.meter : null)),
    wanted.map(({ series }) => series),
    // What a new series gets: not what nobody can read.
    wanted.map(({ unit }) => (unit === undefined ? null : (knownUnit(unit) ?? null))),
  ];
}

function targetOf({ register, meter, series, unit, multiplier, ct, vt, watermark, stays }: TargetRow): RegisterTarget {
  const factor = [ct, vt].reduce<string>(
    (product, ratio) => (ratio === null ? product : multiplyDecimals(product, ratio)),
    multiplier,
  );
  return {
    register,
    meter,
    series,
    unit,
    factor: canonicalDecimal(factor) === '1' ? undefined : factor,
    stays: (stays ?? []).map(([from, to, metering_point, customer, tariff]) => ({
      from: Number(from),
      to: to === null ? Infinity : Number(to),
      place: { metering_point, customer, tariff },
    })),
    watermark: watermark?.getTime() ?? -Infinity,
  };
}

function meterKey({ organization, meter }: Addressed['envelope']): string {
  return `${organization} ${meter}`;
}

function registerKey({ envelope, series }: Addressed): string {
  return `${envelope.organization} ${envelope.meter} ${series}`;
}
