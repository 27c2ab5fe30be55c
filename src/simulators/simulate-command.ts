import { resolve } from 'node:path';
import { parseInstant } from '../domain/instant.js';
import { StartupError } from '../errors.js';
import { startFleet } from './fleet.js';

/** Options of `amr simulate`, as text and numbers from the command line. */
export interface SimulationOptions {
  meters: number;
  /** First port; 0 takes any free ones. */
  port: number;
  metersPerPort?: number;
  seed?: number;
  /** File that always holds what the meters hold. */
  truth?: string;
  minuteArchive?: boolean;
  /** ISO 8601 with offset. */
  installedAt?: string;
}

/** Where the command writes, and what tells it to stop. */
export interface SimulationIo {
  writeLine(line: string): void;
  signal: AbortSignal;
}

/** Runs a fleet of simulated meters until `io.signal` aborts. @throws StartupError for a wrong option or a port in use. */
export async function runSimulation(options: SimulationOptions, io: SimulationIo): Promise<void> {
  const { meters, port, metersPerPort = 1, seed, minuteArchive } = options;
  inRange('--meters', meters, 1, 100_000);
  inRange('--meters-per-port', metersPerPort, 1, 1000);
  inRange('--port', port, 0, port === 0 ? 0 : 65_536 - Math.ceil(meters / metersPerPort));
  if (seed !== undefined) inRange('--seed', seed, 0, 2 ** 31);
  const installedAt = options.installedAt === undefined ? undefined : parseInstant(options.installedAt);
  if (options.installedAt !== undefined && installedAt === undefined) {
    throw new StartupError(
      `--installed-at ${options.installedAt} is no instant with an offset such as 2026-01-31T00:00:00Z`,
    );
  }

  const truthFile = options.truth === undefined ? undefined : resolve(options.truth);
  const fleet = await startFleet({
    meters,
    basePort: port,
    metersPerPort,
    seed,
    minuteArchive,
    installedAt,
    truthFile,
  });
  try {
    if (truthFile !== undefined) await fleet.writeTruth();
    const [first, last] = [fleet.meters[0], fleet.meters.at(-1)];
    const ports = [...new Set(fleet.meters.map((meter) => meter.port))];
    // Free ports are not consecutive: each is told.
    const where = port === 0 ? `ports ${ports.join(' ')}` : `ports ${ports[0]} to ${ports.at(-1)}`;
    const truth = truthFile === undefined ? '' : `, truth in ${truthFile}`;
    io.writeLine(
      `simulating ${meters} EK280 meters (${first?.name} to ${last?.name}) on ${first?.host} ${where}${truth}`,
    );
    if (!io.signal.aborted) await new Promise((stop) => io.signal.addEventListener('abort', stop, { once: true }));
  } finally {
    await fleet.stop();
  }
}

function inRange(option: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new StartupError(`${option} ${value} must be a whole number from ${min} to ${max}`);
  }
}
