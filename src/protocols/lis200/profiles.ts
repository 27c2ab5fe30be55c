/** What differs between device families, as data. A device that deviates gets a profile of its own. */
export interface Lis200Profile {
  name: string;
  /** Start of the model names it is for. */
  models: readonly string[];
  /**
   * Source addresses of archive columns that are readings: counters and measurements. Columns with any other source
   * (order numbers, time, status, event, check) are not, so what a device adds does not turn into readings unseen.
   */
  readings: ReadonlySet<string>;
  /** Series name of a source address, such as an OBIS code. Others keep their address as name. */
  series: ReadonlyMap<string, string>;
  /** Object that holds the maker's serial number. */
  serialNumber: string;
  /** Lock that guards the clock and protected values. */
  supplierLock: number;
  /** Column name (attribute 2) of the system status, and the message in it that says "summer time". */
  summerTime: { column: string; message: number };
  /** Text of an intact row's check cell. */
  checkOk: string;
  /** Rows per partial block of an answer: ten also pass over GPRS. */
  rowsPerBlock: number;
}

const COMMON = {
  series: new Map<string, string>(),
  serialNumber: '1:180',
  supplierLock: 3,
  // Inferred from message lists; verify on a device before it is trusted for another family.
  summerTime: { column: 'St.Sy', message: 16 },
  checkOk: 'CRC Ok',
  rowsPerBlock: 10,
} satisfies Partial<Lis200Profile>;

/** Volume at base and at measuring conditions: undisturbed, disturbed, total, adjustable and original counter. */
const VOLUMES = [2, 4].flatMap((instance) =>
  ['300', '301', '302', '303', '304', '310'].map((object) => `${instance}:${object}`),
);
/** Temperature, pressure, conversion factor and compressibility ratio. */
const MEASUREMENTS = ['6:310', '6:310_1', '7:310', '7:310_1', '5:310', '8:310'];

const VOLUME_CONVERTER: Lis200Profile = {
  ...COMMON,
  name: 'EK volume converter',
  models: ['EK'],
  readings: new Set([...VOLUMES, ...MEASUREMENTS]),
};

const TEMPERATURE_CONVERTER: Lis200Profile = { ...VOLUME_CONVERTER, name: 'TC temperature converter', models: ['TC'] };

const DATA_LOGGER: Lis200Profile = {
  ...COMMON,
  name: 'DL data logger',
  models: ['DL'],
  // Main and adjustable counter of channels 1 to 4. Inferred: no listed source names the objects of this family.
  readings: new Set(
    [1, 2, 3, 4].flatMap((channel) =>
      ['200', '201', '202', '203', '300', '301', '302', '303'].map((object) => `${channel}:${object}`),
    ),
  ),
};

const PROFILES = [VOLUME_CONVERTER, TEMPERATURE_CONVERTER, DATA_LOGGER];

/** The profile for the first model name that one is known for, else the one for volume converters. */
export function profileFor(...models: readonly (string | undefined)[]): Lis200Profile {
  for (const model of models) {
    const name = model?.trim().toUpperCase() ?? '';
    const profile = PROFILES.find(({ models: starts }) => starts.some((start) => name.startsWith(start)));
    if (profile) return profile;
  }
  return VOLUME_CONVERTER;
}
