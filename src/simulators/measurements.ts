import type { LoadCurve } from './load-curve.js';

/** A quantity the meter measures: the same in a register and in an archive cell, so that the two never disagree. */
export interface Measurement {
  /** Normalised address, such as `2:300`: the name of the series. */
  series: string;
  /** Short column name, as attribute 2 of an archive tells it. */
  name: string;
  /** Unit as the device spells it: `{C` is degrees Celsius in its seven-bit character set; empty without unit. */
  unit: string;
  decimals: number;
  /** A counter never falls. */
  counter: boolean;
  /** The value at an instant as a whole number of its last decimal. */
  at: (curve: LoadCurve, utcMs: number) => number;
}

const volume = (series: string, name: string, at: Measurement['at']): Measurement => ({
  series,
  name,
  unit: 'm3',
  decimals: 4,
  counter: true,
  at,
});

export const BASE_VOLUME = volume('2:300', 'Vb', (curve, utcMs) => curve.baseTicks(utcMs));
export const BASE_TOTAL = volume('2:302', 'VbT', (curve, utcMs) => curve.baseTicks(utcMs) + curve.disturbedTicks);
export const ACTUAL_VOLUME = volume('4:300', 'V', (curve, utcMs) => curve.actualTicks(utcMs));
export const ACTUAL_TOTAL = volume('4:302', 'Vo', (curve, utcMs) => curve.actualTicks(utcMs) + curve.disturbedTicks);

export const PRESSURE: Measurement = {
  series: '7:310',
  name: 'p',
  unit: 'bar',
  decimals: 5,
  counter: false,
  at: (curve, utcMs) => curve.conditions(utcMs).pressure,
};
export const TEMPERATURE: Measurement = {
  series: '6:310_1',
  name: 'T',
  unit: '{C',
  decimals: 1,
  counter: false,
  at: (curve, utcMs) => curve.conditions(utcMs).temperature,
};
export const COMPRESSIBILITY: Measurement = {
  series: '8:310',
  name: 'K',
  unit: '',
  decimals: 5,
  counter: false,
  at: (curve, utcMs) => curve.conditions(utcMs).compressibility,
};
export const CONVERSION: Measurement = {
  series: '5:310',
  name: 'C',
  unit: '',
  decimals: 5,
  counter: false,
  at: (curve, utcMs) => curve.conditions(utcMs).conversion,
};

/** Every measurement, in the order of the columns of the period archives. */
export const MEASUREMENTS: readonly Measurement[] = [
  BASE_VOLUME,
  BASE_TOTAL,
  ACTUAL_VOLUME,
  ACTUAL_TOTAL,
  PRESSURE,
  TEMPERATURE,
  COMPRESSIBILITY,
  CONVERSION,
];

/** A whole number of last decimals as text with all its decimals: `fixed(90001250, 4)` is `9000.1250`. */
export function fixed(value: number, decimals: number): string {
  const digits = String(Math.abs(value)).padStart(decimals + 1, '0');
  const text = decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
  return value < 0 ? `-${text}` : text;
}
