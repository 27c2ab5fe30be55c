import { messageOf, StartupError } from '../errors.js';
import type { ArchiveNumber } from './archive-memory.js';
import { sample, type Distribution } from './distribution.js';
import type { MeterFault } from './faults.js';
import { Lis200Meter } from './lis200-meter.js';
import { scramble } from './load-curve.js';
import { MeterPort, type FleetCounters, type PortCounters, type PortMeter } from './meter-port.js';
import { truthOf, writeTruthFile, type TruthCell } from './truth.js';

const TRUTH_INTERVAL_MS = 60_000;
const DAY_MS = 86_400_000;
/** Opens the locks 3, 4 and 5 of every simulated meter: the code such devices are delivered with. */
const PASSWORD = '00000000';

export interface FleetOptions {
  meters: number;
  /** @default '127.0.0.1' */
  host?: string;
  /** First of the consecutive ports; 0 takes any free ones. @default 0 */
  basePort?: number;
  /** More than one: so many meters share a port and are told apart by their address, as behind a gateway. @default 1 */
  metersPerPort?: number;
  /** Equal seeds make equal fleets: same serial numbers, same truth. @default 1 */
  seed?: number;
  /** Whether the meters keep the one-minute archive 13. @default false */
  minuteArchive?: boolean;
  /** What the meters' clocks are ahead of true time, in seconds. @default 0 */
  clockDeviationSeconds?: Distribution;
  /** What the meters' clocks gain, in microseconds a second. @default 0 */
  clockDriftPpm?: Distribution;
  /** What each answer is late by, also those of a meter with another fault than `delay`. @default 0 */
  answerDelayMs?: Distribution;
  /** Equal seeds make equal delays and clocks. @default `seed` */
  spreadSeed?: number;
  /** Milliseconds since the epoch. @default Date.now */
  now?: () => number;
  /** The fault of a meter, by its index from 0. */
  faults?: Readonly<Record<number, MeterFault>>;
  /** Rewritten once a minute, at stop, and on demand. */
  truthFile?: string;
  /**
   * Milliseconds since the epoch; no meter has rows up to then, so the truth is finite.
   * @default one day before the start with a `truthFile`, else 4 January 2015: full archives
   */
  installedAt?: number;
}

/** What a head-end has to know to read a meter. */
export interface FleetMeter {
  /** `SIM-0001` */
  name: string;
  serialNumber: string;
  host: string;
  port: number;
  /** Set on shared ports. */
  address?: string;
  model: 'EK280';
  password: string;
  fault?: MeterFault;
}

/** A port of the fleet, by what it saw. */
export interface FleetPort extends PortCounters {
  port: number;
  /** Names of the meters behind it. */
  meters: string[];
}

export interface Fleet {
  readonly meters: readonly FleetMeter[];
  readonly counters: Readonly<FleetCounters>;
  /** Codes that shut locks of all meters were given, right or wrong. */
  codesTried(): number;
  /** The same by meter name, of the meters that were given any. */
  codesTriedByMeter(): Record<string, number>;
  /** Port by port what came to it; overlaps of a port are sessions that met on one network interface. */
  ports(): FleetPort[];
  /** Cells of `archive` with `from` ≤ timestamp ≤ `to` (milliseconds since the epoch) written by now, meter by meter. */
  truth(from: number, to: number, archive: ArchiveNumber): Iterable<TruthCell>;
  /** Writes the truth of all archives up to now. @param file default: the fleet's `truthFile` */
  writeTruth(file?: string): Promise<void>;
  /** Closes every connection and port and writes the truth a last time. */
  stop(): Promise<void>;
}

/** Starts simulated EK280 gas meters. @throws StartupError when a port cannot be opened; nothing is left open then. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { host = '127.0.0.1', basePort = 0, metersPerPort = 1, seed = 1, now = Date.now, truthFile } = options;
  const installedAt = options.installedAt ?? (truthFile === undefined ? undefined : now() - DAY_MS);
  const counters: FleetCounters = { connections: 0, sessions: 0, errors: 0, overlaps: 0, maxConcurrentPerMeter: 0 };

  const startedAt = now();
  const simulated = Array.from({ length: options.meters }, (_, index) => {
    const serialNumber = String(20_000_000 + (seed % 700) * 100_000 + index);
    const fault = options.faults?.[index];
    const spreadSeed = scramble(options.spreadSeed ?? seed, index);
    const meter = new Lis200Meter({
      serialNumber: fault?.kind === 'wrong-identity' ? fault.serialNumber : serialNumber,
      address: serialNumber,
      password: fault?.kind === 'wrong-password' ? fault.password : PASSWORD,
      seed: scramble(seed, index),
      installedAt,
      minuteArchive: options.minuteArchive,
      startedAt,
      ...clockOf(fault, options, spreadSeed),
      ...(fault?.kind === 'archive-gap' && { gap: fault }),
      ...(fault?.kind === 'power-up' && { powerUps: fault.at }),
      ...(fault?.kind === 'archive-wrap' && { archiveRows: fault.rows }),
    });
    const delayMs = delaysOf(fault, options.answerDelayMs, spreadSeed);
    return { name: meterName(index), serialNumber, meter, fault, delayMs };
  });
  const ports = chunk(simulated, metersPerPort).map(
    (behind) => new MeterPort(behind satisfies PortMeter[], counters, now),
  );
  const portNumbers = await listenOnAll(ports, host, basePort);

  const meters = simulated.map(({ name, serialNumber, fault }, index): FleetMeter => ({
    name,
    serialNumber,
    host,
    port: portNumbers[Math.floor(index / metersPerPort)] ?? 0,
    ...(metersPerPort > 1 && { address: serialNumber }),
    model: 'EK280',
    password: PASSWORD,
    ...(fault && { fault }),
  }));

  function* truth(from: number, to: number, archive: ArchiveNumber): Generator<TruthCell, void, void> {
    for (const { name, meter } of simulated) yield* truthOf(name, meter, archive, { from, to, now: now() });
  }

  function* wholeTruth(): Generator<TruthCell, void, void> {
    const archives = simulated[0]?.meter.archives.numbers ?? [];
    for (const archive of archives) yield* truth(-Infinity, Infinity, archive);
  }

  // One file, one writer: each write waits for the one before, which may have failed.
  let writing: Promise<void> = Promise.resolve();
  const writeTruth = (file = truthFile): Promise<void> => {
    if (file === undefined) throw new TypeError('writeTruth needs a file: the fleet was started without truthFile');
    writing = writing.catch(() => undefined).then(() => writeTruthFile(file, wholeTruth()));
    return writing;
  };
  // A write that fails here is tried again a minute later, and the last one, at stop, tells.
  const timer =
    truthFile === undefined
      ? undefined
      : setInterval(() => void writeTruth().catch(() => undefined), TRUTH_INTERVAL_MS);

  return {
    meters,
    counters,
    codesTried: () => simulated.reduce((sum, { meter }) => sum + meter.codesTried, 0),
    codesTriedByMeter: () =>
      Object.fromEntries(
        simulated.filter(({ meter }) => meter.codesTried > 0).map(({ name, meter }) => [name, meter.codesTried]),
      ),
    ports: () =>
      ports.map(({ counted }, index) => ({
        port: portNumbers[index] ?? 0,
        meters: simulated.slice(index * metersPerPort, (index + 1) * metersPerPort).map(({ name }) => name),
        ...counted,
      })),
    truth,
    writeTruth,
    async stop() {
      clearInterval(timer);
      await Promise.all(ports.map((port) => port.close()));
      if (truthFile !== undefined) await writeTruth();
    },
  };
}

/** Name of the meter with this index from 0. */
export function meterName(index: number): string {
  return `SIM-${String(index + 1).padStart(4, '0')}`;
}

/** A fault of the clock replaces what the fleet's clocks are like. */
function clockOf(fault: MeterFault | undefined, options: FleetOptions, seed: number) {
  const spread =
    fault?.kind === 'clock'
      ? { deviation: fault.offsetSeconds, ppm: fault.ppm }
      : { deviation: options.clockDeviationSeconds, ppm: options.clockDriftPpm };
  return {
    clockDeviationMs: Math.round(sample(spread.deviation ?? 0, seed, 0) * 1000),
    clockDriftPpm: sample(spread.ppm ?? 0, seed, 1),
  };
}

/** Exchange by exchange of one meter, over all its connections; undefined where no answer is late. */
function delaysOf(fault: MeterFault | undefined, fleetMs: Distribution | undefined, seed: number) {
  const spread = fault?.kind === 'delay' ? fault.ms : fleetMs;
  // Number 0 and 1 of the seed's series made the clock.
  let exchange = 2;
  return spread === undefined ? undefined : () => Math.max(0, Math.round(sample(spread, seed, exchange++)));
}

async function listenOnAll(ports: readonly MeterPort[], host: string, basePort: number): Promise<number[]> {
  const results = await Promise.allSettled(
    ports.map((port, i) => port.listen(host, basePort === 0 ? 0 : basePort + i)),
  );
  const failure = results.find((result) => result.status === 'rejected');
  if (failure) {
    await Promise.all(ports.map((port) => port.close()));
    throw new StartupError(
      `cannot open the ports of the simulated meters: ${messageOf(failure.reason)}; ${portCure(failure.reason, ports.length)}`,
    );
  }
  // Only now: a port given back earlier could be handed to the next one that asks for any.
  await Promise.all(ports.filter((port) => port.has('refuse')).map((port) => port.close()));
  return results.map((result) => (result.status === 'fulfilled' ? result.value : 0));
}

function portCure(error: unknown, count: number): string {
  return (error as NodeJS.ErrnoException).code === 'EMFILE'
    ? `${count} ports need a limit of open files (ulimit -n) well above that; raise it, or put more meters behind a port`
    : 'choose another first port';
}

function chunk<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
