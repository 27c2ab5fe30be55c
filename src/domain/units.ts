/** Units by the quantity they measure; those of one line differ by a power of ten, which is given for each. */
const QUANTITIES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'active energy': { Wh: 0, kWh: 3, MWh: 6, GWh: 9 },
  'reactive energy': { varh: 0, kvarh: 3, Mvarh: 6 },
  'apparent energy': { VAh: 0, kVAh: 3, MVAh: 6 },
  'active power': { W: 0, kW: 3, MW: 6 },
  'reactive power': { var: 0, kvar: 3, Mvar: 6 },
  'apparent power': { VA: 0, kVA: 3, MVA: 6 },
  heat: { J: 0, kJ: 3, MJ: 6, GJ: 9, TJ: 12 },
  voltage: { mV: -3, V: 0, kV: 3 },
  current: { mA: -3, A: 0, kA: 3 },
  frequency: { Hz: 0 },
  volume: { ml: -6, cl: -5, dl: -4, l: -3, dm3: -3, hl: -1, m3: 0 },
  'standard volume': { Nm3: 0 },
  flow: { 'l/h': -3, 'm3/h': 0 },
  'flow per minute': { 'l/min': 0 },
  'flow per second': { 'l/s': -3, 'm3/s': 0 },
  pressure: { Pa: -5, hPa: -3, mbar: -3, kPa: -2, bar: 0, MPa: 1 },
  temperature: { '°C': 0 },
  'absolute temperature': { K: 0 },
  mass: { g: -3, kg: 0, t: 3 },
  'mass flow': { 'kg/h': 0, 't/h': 3 },
  seconds: { ms: -3, s: 0 },
  minutes: { min: 0 },
  hours: { h: 0 },
  days: { d: 0 },
  share: { '%': 0 },
  'power factor': { '1': 0 },
  angle: { '°': 0 },
  density: { 'kg/m3': 0 },
  'calorific value': { 'kWh/m3': 0 },
  'calorific value in joule': { 'MJ/m3': 0 },
  count: { pulses: 0 },
};

const UNITS = new Map(
  Object.entries(QUANTITIES).flatMap(([quantity, units]) =>
    Object.entries(units).map(([unit, exponent]) => [unit, { quantity, exponent }] as const),
  ),
);

/** Other spellings that mean the same. */
const SPELLINGS: Readonly<Record<string, string>> = {
  'm³': 'm3',
  'dm³': 'dm3',
  'Nm³': 'Nm3',
  'm³/h': 'm3/h',
  'm³/s': 'm3/s',
  L: 'l',
  dL: 'dl',
  'L/h': 'l/h',
  C: '°C',
  KWH: 'kWh',
  kwh: 'kWh',
};

/** The unit as series have it, or undefined for text that is none. */
export function knownUnit(text: string): string | undefined {
  const unit = Object.hasOwn(SPELLINGS, text) ? SPELLINGS[text]! : text;
  return UNITS.has(unit) ? unit : undefined;
}

/**
 * By which power of ten a value in `from` is multiplied to be in `to`: `-3` from Wh to kWh. Undefined where the two are not of one
 * quantity, or are related by another factor, such as joule and watt-hour.
 */
export function powerOfTenBetween(from: string, to: string): number | undefined {
  const source = UNITS.get(knownUnit(from) ?? '');
  const target = UNITS.get(knownUnit(to) ?? '');
  return source !== undefined && source.quantity === target?.quantity ? source.exponent - target.exponent : undefined;
}
