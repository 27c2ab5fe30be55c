import { formatDeviceTime, parseDeviceTime } from './device-time.js';
import type { LoadCurve } from './load-curve.js';
import {
  ACTUAL_TOTAL,
  ACTUAL_VOLUME,
  BASE_TOTAL,
  BASE_VOLUME,
  fixed,
  MEASUREMENTS,
  type Measurement,
} from './measurements.js';
import { GAS_DAYS, GAS_MONTHS, HOURS, type PeriodGrid } from './period-grid.js';

/** What a cell is computed from. */
export interface ArchiveRow {
  /** Order number over all archives. */
  globalOrder: () => number;
  /** Order number in this archive. */
  order: number;
  /** End of the period, local device time. */
  localMs: number;
  /** Local time minus this is UTC. */
  utcOffsetMs: number;
  curve: LoadCurve;
  /** The meter restarted here: no period ended. */
  powerUp?: boolean;
}

export interface ArchiveColumn {
  name: string;
  unit: string;
  /** Object the column comes from, zero-padded as devices print it in archives; empty where there is none. */
  source: string;
  text: (row: ArchiveRow) => string;
  /** Only on columns that rise from row to row, which limits can be compared with: cell and limit as a number. */
  rising?: { value: (row: ArchiveRow) => number; parse: (limit: string) => number | undefined };
  /** Set on counters and measurements: their cells are readings. */
  measurement?: Measurement;
}

const TIME: ArchiveColumn = {
  name: 'Time',
  unit: '',
  source: '1:0400.0',
  text: (row) => formatDeviceTime(row.localMs),
  rising: { value: (row) => row.localMs, parse: parseDeviceTime },
};

/** Row layout of archives 3, 7 and 13 of an EK280 without option cards: 18 columns. */
export const PERIOD_COLUMNS: readonly ArchiveColumn[] = [
  orderNumber('GONo', (row) => row.globalOrder()),
  orderNumber('AONo', (row) => row.order),
  TIME,
  ...MEASUREMENTS.map(measured),
  status('St.2', '2:0110.0'),
  status('St.4', '4:0110.0'),
  status('St.7', '7:0110.0'),
  status('St.6', '6:0110.0'),
  // System message 1, restart, is active in the row that tells of it, and in no other.
  { ...status('St.Sy', '1:0110.0'), text: ({ powerUp }) => (powerUp ? '1' : '0') },
  { name: 'Ev', unit: '', source: '', text: eventCode },
  { name: 'Check', unit: '', source: '', text: () => 'CRC Ok' },
];

/** Row layout of archive 1: counters at the month's end with the largest hour and day of the month. */
export const MONTHLY_COLUMNS: readonly ArchiveColumn[] = [
  orderNumber('GONo', (row) => row.globalOrder()),
  orderNumber('AONo', (row) => row.order),
  TIME,
  measured(BASE_VOLUME),
  measured(BASE_TOTAL),
  ...maximum(BASE_VOLUME, HOURS, '2:0161'),
  ...maximum(BASE_VOLUME, GAS_DAYS, '2:0165'),
  measured(ACTUAL_VOLUME),
  measured(ACTUAL_TOTAL),
  ...maximum(ACTUAL_VOLUME, HOURS, '4:0161'),
  ...maximum(ACTUAL_VOLUME, GAS_DAYS, '4:0165'),
  { name: 'Check', unit: '', source: '', text: () => 'CRC Ok' },
];

function orderNumber(name: string, pick: (row: ArchiveRow) => number): ArchiveColumn {
  return { name, unit: '', source: '', text: (row) => String(pick(row)), rising: { value: pick, parse: parseNumber } };
}

function measured(measurement: Measurement): ArchiveColumn {
  const { name, unit, series, decimals, counter } = measurement;
  const value = (row: ArchiveRow) => measurement.at(row.curve, row.localMs - row.utcOffsetMs);
  const parse = (limit: string) => {
    const number = parseNumber(limit);
    return number === undefined ? undefined : Math.round(number * 10 ** decimals);
  };
  return {
    name,
    unit,
    source: paddedAddress(series),
    text: (row) => fixed(value(row), decimals),
    ...(counter && { rising: { value, parse } }),
    measurement,
  };
}

/** No message is ever active in these groups. */
function status(name: string, source: string): ArchiveColumn {
  return { name, unit: '', source, text: () => '0' };
}

/** Largest consumption in one period of the month, when it ended, and its status. */
function maximum(counter: Measurement, periods: PeriodGrid, object: string): ArchiveColumn[] {
  const name = `${counter.name}Max`;
  return [
    { name, unit: counter.unit, source: `${object}.0`, text: (row) => fixed(largest(row).ticks, counter.decimals) },
    { name: `${name}.Time`, unit: '', source: `${object}.1`, text: (row) => formatDeviceTime(largest(row).endMs) },
    status(`${name}.St`, `${object}.2`),
  ];

  function largest(row: ArchiveRow): { ticks: number; endMs: number } {
    const { curve, utcOffsetMs, localMs } = row;
    const last = periods.lastEndedAt(localMs);
    const first = periods.lastEndedAt(GAS_MONTHS.endOf(GAS_MONTHS.lastEndedAt(localMs) - 1)) + 1;
    const at = (period: number) => counter.at(curve, periods.endOf(period) - utcOffsetMs);
    let found = { ticks: -1, endMs: 0 };
    for (let period = first, before = at(first - 1); period <= last; period++) {
      const after = at(period);
      if (after - before > found.ticks) found = { ticks: after - before, endMs: periods.endOf(period) };
      before = after;
    }
    return found;
  }
}

/** 0x3002: restart. 0x8103 closes a gas day, 0x8104 any other period. */
function eventCode({ localMs, powerUp }: ArchiveRow): string {
  if (powerUp) return '0x3002';
  return GAS_DAYS.endOf(GAS_DAYS.lastEndedAt(localMs)) === localMs ? '0x8103' : '0x8104';
}

/** `6:310_1` as archives print it: `6:0310_1.0`. */
function paddedAddress(series: string): string {
  const [instance = '', object = ''] = series.split(':');
  const [code = '', subindex] = object.split('_');
  return `${instance}:${code.padStart(4, '0')}${subindex === undefined ? '' : `_${subindex}`}.0`;
}

function parseNumber(text: string): number | undefined {
  return /^-?\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : undefined;
}
