import { StartupError } from '../errors.js';
import type { MeterFault } from './faults.js';
import { meterName } from './fleet.js';
import type { FleetProfile } from './fleet-profile.js';
import { scramble } from './load-curve.js';

export interface FleetShape {
  meters: number;
  metersPerPort: number;
  seed: number;
}

/** What hits every meter behind a port at once. */
const OF_THE_PORT: ReadonlySet<MeterFault['kind']> = new Set(['refuse', 'busy']);

/**
 * The fault of each meter that has one, by its index. Named meters come first, then the shares, each from the meters that
 * are still sound: shares are exact, as many meters as rounded, and equal seeds choose equal ones. A fault of the port takes
 * whole ports. @throws StartupError that names the field: for a meter there is none of or that has two faults, and for
 * shares of more than all meters
 */
export function assignFaults(
  faults: FleetProfile['faults'],
  { meters, metersPerPort, seed }: FleetShape,
): Record<number, MeterFault> {
  const assigned = new Map<number, MeterFault>();
  const give = (indexes: readonly number[], fault: MeterFault, field: string): void => {
    for (const index of indexes) {
      if (assigned.has(index)) throw new StartupError(`--profile: ${field}: ${meterName(index)} has a fault already`);
      assigned.set(index, fault);
    }
  };
  const groupSize = (fault: MeterFault) => (OF_THE_PORT.has(fault.kind) ? metersPerPort : 1);
  const membersOf = (group: number, size: number) =>
    Array.from({ length: Math.min(size, meters - group * size) }, (_, i) => group * size + i);

  faults.forEach(({ meters: named = [], fault }, entry) => {
    const size = groupSize(fault);
    const groups = named.map((name, i) => Math.floor(indexOf(name, meters, `faults[${entry}].meters[${i}]`) / size));
    for (const group of new Set(groups)) give(membersOf(group, size), fault, `faults[${entry}].meters`);
  });
  // Faults of the port before the others, which would leave no port whole.
  const shares = faults.map((item, entry) => ({ ...item, entry })).filter(({ share }) => share !== undefined);
  shares.sort((a, b) => groupSize(b.fault) - groupSize(a.fault));
  for (const { share = 0, fault, entry } of shares) {
    const size = groupSize(fault);
    const groups = Math.ceil(meters / size);
    const sound = Array.from({ length: groups }, (_, group) => group)
      .filter((group) => membersOf(group, size).every((index) => !assigned.has(index)))
      .map((group) => ({ group, rank: scramble(scramble(seed, entry + 1), group) }))
      .sort((a, b) => a.rank - b.rank);
    const wanted = Math.round(share * groups);
    if (wanted > sound.length) {
      const unit = size === 1 ? 'meters' : 'ports';
      throw new StartupError(
        `--profile: faults[${entry}].share: ${wanted} ${unit} are wanted, but only ${sound.length} have no other fault`,
      );
    }
    for (const { group } of sound.slice(0, wanted)) give(membersOf(group, size), fault, `faults[${entry}].share`);
  }
  return Object.fromEntries(assigned);
}

function indexOf(name: string | number, meters: number, field: string): number {
  const index = typeof name === 'number' ? name : Number(/^SIM-(\d+)$/.exec(name)?.[1] ?? NaN) - 1;
  if (index >= 0 && index < meters && (typeof name === 'number' || meterName(index) === name)) return index;
  throw new StartupError(
    `--profile: ${field}: there is no meter ${JSON.stringify(name)}, only ${meterName(0)} to ${meterName(meters - 1)} (index 0 to ${meters - 1})`,
  );
}
