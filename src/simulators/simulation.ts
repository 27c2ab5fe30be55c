import { resolve } from 'node:path';
import { parseInstant } from '../domain/instant.js';
import { messageOf, StartupError } from '../errors.js';
import type { Worker, WorkerContext } from '../lifecycle.js';
import { writeCountersFile } from './counters-file.js';
import { assignFaults } from './fault-assignment.js';
import { readProfile } from './fleet-profile.js';
import { startFleet, type Fleet, type FleetOptions } from './fleet.js';

/** Options of `amr simulate`, as text and numbers from the command line. */
export interface SimulationOptions {
  meters: number;
  /** First port; 0 takes any free ones. */
  port: number;
  metersPerPort?: number;
  seed?: number;
  /** File that always holds what the meters hold. */
  truth?: string;
  /** File that tells at the end what came to the meters. */
  counters?: string;
  minuteArchive?: boolean;
  /** ISO 8601 with offset. */
  installedAt?: string;
  /** Seconds that every meter's clock is ahead; negative: behind. Goes before the profile's `clock.deviationSeconds`. */
  clockDeviation?: number;
  /** JSON file: which meters have which fault. */
  profile?: string;
}

/** `amr simulate`: a fleet of simulated meters. @throws StartupError at once for a wrong option, at the start for a port in use or a file that cannot be written */
export function simulation(options: SimulationOptions): Worker {
  const fleetOptions = toFleetOptions(options);
  const countersFile = options.counters === undefined ? undefined : resolve(options.counters);
  return ({ onStop }) => startSimulation(fleetOptions, countersFile, onStop);
}

function toFleetOptions({ meters, port, metersPerPort = 1, seed, minuteArchive, truth, ...rest }: SimulationOptions) {
  inRange('--meters', meters, 1, 100_000);
  inRange('--meters-per-port', metersPerPort, 1, 1000);
  inRange('--port', port, 0, port === 0 ? 0 : 65_536 - Math.ceil(meters / metersPerPort));
  if (seed !== undefined) inRange('--seed', seed, 0, 2 ** 31);
  const installedAt = rest.installedAt === undefined ? undefined : parseInstant(rest.installedAt);
  if (rest.installedAt !== undefined && installedAt === undefined) {
    throw new StartupError(
      `--installed-at ${rest.installedAt} is no instant with an offset such as 2026-01-31T00:00:00Z`,
    );
  }
  const truthFile = truth === undefined ? undefined : resolve(truth);
  const { clockDeviation } = rest;
  if (clockDeviation !== undefined) inRange('--clock-deviation', clockDeviation, -1e9, 1e9);
  const profile = rest.profile === undefined ? undefined : readProfile(rest.profile, Date.now());
  const spreadSeed = profile?.seed ?? seed ?? 1;
  return {
    ...{ meters, basePort: port, metersPerPort, seed, minuteArchive, installedAt, truthFile },
    faults: profile && assignFaults(profile.faults, { meters, metersPerPort, seed: spreadSeed }),
    clockDeviationSeconds: clockDeviation ?? profile?.clock?.deviationSeconds,
    clockDriftPpm: profile?.clock?.driftPpm,
    answerDelayMs: profile?.answerDelayMs,
    spreadSeed,
  };
}

async function startSimulation(
  options: FleetOptions,
  countersFile: string | undefined,
  onStop: WorkerContext['onStop'],
): Promise<string> {
  const fleet = await startFleet(options);
  if (options.truthFile !== undefined) await writeFirst(fleet, 'truth', options.truthFile, () => fleet.writeTruth());
  if (countersFile !== undefined)
    await writeFirst(fleet, 'counters', countersFile, () => writeCountersFile(countersFile, fleet));
  onStop(async () => {
    await fleet.stop();
    if (countersFile !== undefined) await writeCountersFile(countersFile, fleet);
  });
  const [first, last] = [fleet.meters[0], fleet.meters.at(-1)];
  const ports = [...new Set(fleet.meters.map((meter) => meter.port))];
  // Free ports are not consecutive: each is told.
  const where =
    options.basePort === 0
      ? `ports ${ports.join(' ')}`
      : ports.length === 1
        ? `port ${ports[0]}`
        : `ports ${ports[0]} to ${ports.at(-1)}`;
  const truth = options.truthFile === undefined ? '' : `, truth in ${options.truthFile}`;
  const faulty = fleet.meters.filter(({ fault }) => fault !== undefined).length;
  const faults = faulty === 0 ? '' : `, ${faulty} of them with a fault`;
  return `${options.meters} EK280 meters (${first?.name} to ${last?.name}, serial numbers ${first?.serialNumber} to ${last?.serialNumber}, password ${first?.password}) on ${first?.host} ${where}${truth}${faults}`;
}

/** A file that cannot be written is told at the start, not at the end. */
async function writeFirst(fleet: Fleet, what: string, file: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (cause) {
    await fleet.stop().catch(() => undefined); // It writes the truth too, and may fail in the same way.
    throw new StartupError(
      `The ${what} file ${file} cannot be written: ${messageOf(cause)}. Give --${what} a file in a folder that exists and can be written.`,
      { cause },
    );
  }
}

function inRange(option: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new StartupError(`${option} ${value} must be a whole number from ${min} to ${max}`);
  }
}
