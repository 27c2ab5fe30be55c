import { existsSync, readFileSync } from 'node:fs';

/** Volumes are whole ticks of 1/10000 m³: sums of integers do not drift, and a cell is the ticks with the point set. */
const TICKS_PER_LITRE = 10;
const HOUR_MS = 3_600_000;
const HOURS_PER_WEEK = 168;
const CYCLE_WEEKS = 52;
const CYCLE_HOURS = CYCLE_WEEKS * HOURS_PER_WEEK;
/** Added to every sampled hour, as a pilot flame would: counters of a simulated meter never stand still for a whole minute. */
const PILOT_LITRES_PER_HOUR = 6;

/** Counters are zero here: 364 days × 7 before the Monday the sample starts on, so that weekday, hour and season still agree. */
export const COUNTERS_START_MS = Date.UTC(2015, 0, 4, 23);

/** State of the gas during one hour, as scaled integers. */
export interface GasConditions {
  /** Absolute pressure in 1e-5 bar. */
  pressure: number;
  /** Temperature in 0.1 °C. */
  temperature: number;
  /** Compressibility ratio K, 1e-5. */
  compressibility: number;
  /** Conversion factor C from actual to base volume, 1e-5. */
  conversion: number;
}

interface Sample {
  hours: number;
  /** Ticks consumed before sample hour i, at measuring conditions and at base conditions. */
  actual: Float64Array;
  base: Float64Array;
}

/**
 * Counters and gas conditions of one simulated meter: a pure function of (seed, instant). The seed picks which 52 consecutive
 * weeks of a real household's hourly curve the meter lives through, year after year, and how large the customer is.
 */
export class LoadCurve {
  private readonly scale: number;
  private readonly firstHour: number;
  /** Volume counted while the meter was disturbed: the constant between the undisturbed and the total counters. */
  readonly disturbedTicks: number;

  constructor(seed: number) {
    const weeks = loadSample().hours / HOURS_PER_WEEK;
    this.firstHour = (scramble(seed, 1) % (weeks - CYCLE_WEEKS + 1)) * HOURS_PER_WEEK;
    this.scale = 1000 + (scramble(seed, 2) % 19_001);
    this.disturbedTicks = scramble(seed, 3) % 500_000;
  }

  /** Actual volume V in ticks, never falling; exact at full hours, interpolated within them. */
  actualTicks(utcMs: number): number {
    return this.counter(loadSample().actual, utcMs);
  }

  /** Base volume Vb in ticks: V converted hour by hour with that hour's C. */
  baseTicks(utcMs: number): number {
    return this.counter(loadSample().base, utcMs);
  }

  /** Conditions of the hour that ends at or contains `utcMs`, so that a row shows those of the hour it closes. */
  conditions(utcMs: number): GasConditions {
    return conditionsOf(this.position(Math.ceil((utcMs - COUNTERS_START_MS) / HOUR_MS) - 1).index);
  }

  private counter(consumedBefore: Float64Array, utcMs: number): number {
    const sinceStart = Math.max(0, utcMs - COUNTERS_START_MS);
    const hour = Math.floor(sinceStart / HOUR_MS);
    const elapsed = sinceStart - hour * HOUR_MS;
    const atHour = this.atHour(consumedBefore, hour);
    if (elapsed === 0) return atHour;
    return atHour + Math.floor(((this.atHour(consumedBefore, hour + 1) - atHour) * elapsed) / HOUR_MS);
  }

  private atHour(consumedBefore: Float64Array, hour: number): number {
    const { cycle, index } = this.position(hour);
    const before = (i: number) => consumedBefore[i] ?? 0;
    const perCycle = before(this.firstHour + CYCLE_HOURS) - before(this.firstHour);
    return Math.floor(((cycle * perCycle + before(index) - before(this.firstHour)) * this.scale) / 1000);
  }

  /** Where hour `hour` since the start lies in the sample. One cycle is added first: windows start up to 22 weeks late. */
  private position(hour: number): { cycle: number; index: number } {
    const shifted = Math.max(0, hour) + CYCLE_HOURS - this.firstHour;
    return { cycle: Math.floor(shifted / CYCLE_HOURS), index: this.firstHour + (shifted % CYCLE_HOURS) };
  }
}

/** A well mixed 32-bit number from a seed and a salt (finaliser of MurmurHash3). */
export function scramble(seed: number, salt: number): number {
  let h = (seed ^ Math.imul(salt, 0x9e3779b9)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Gas conditions by sample hour: mild in July, cold in January, triangles instead of sines as those are exact everywhere. */
function conditionsOf(hour: number): GasConditions {
  const pressure = 101_325 + triangle(hour, 331, 900);
  const temperature = 60 + triangle(hour, CYCLE_HOURS, 100) + triangle(hour, 24, 12);
  const compressibility = 99_700 + triangle(hour, CYCLE_HOURS, 180);
  const ratio = (pressure / 101_325) * (2731.5 / (2731.5 + temperature)) * (100_000 / compressibility);
  return { pressure, temperature, compressibility, conversion: Math.round(ratio * 100_000) };
}

/** 0 at multiples of `period`, `amplitude` half-way between, whole numbers. */
function triangle(x: number, period: number, amplitude: number): number {
  return Math.floor((amplitude * (period - Math.abs(2 * (x % period) - period))) / period);
}

let sample: Sample | undefined;

/** The sampled curve as running sums, read once and shared by all meters of the process. */
function loadSample(): Sample {
  if (sample) return sample;
  const lines = readFileSync(sampleFile(), 'utf8').trimEnd().split('\n').slice(1);
  const litres = lines.flatMap((line) => line.split(',').slice(1).map(Number));
  const actual = new Float64Array(litres.length + 1);
  const base = new Float64Array(litres.length + 1);
  litres.forEach((value, hour) => {
    const ticks = (value + PILOT_LITRES_PER_HOUR) * TICKS_PER_LITRE;
    actual[hour + 1] = (actual[hour] ?? 0) + ticks;
    base[hour + 1] = (base[hour] ?? 0) + Math.round((ticks * conditionsOf(hour).conversion) / 100_000);
  });
  return (sample = { hours: litres.length, actual, base });
}

/** Beside this file in the sources and in a packed build; a plain `tsc` build leaves the file in the source tree. */
function sampleFile(): URL {
  const beside = new URL('./data/gas-hourly.csv', import.meta.url);
  return existsSync(beside) ? beside : new URL('../../../src/simulators/data/gas-hourly.csv', import.meta.url);
}
