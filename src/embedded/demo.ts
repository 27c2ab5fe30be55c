import type { Database } from '../db/database.js';
import { pause } from '../retry.js';
import { startFleet } from '../simulators/fleet.js';
import type { Logger } from '../telemetry.js';
import { seedDemo } from './demo-data.js';

const METERS = 20;
const INVOKE_EVERY_MS = 5_000;
/** Equal at each start: the same meters with the same truth. */
const SEED = 1;

/** One call on one meter, as the API's `invokeTask` takes it. */
export interface DemoInvocation {
  meterDevice: string;
  meterExecutionType: string;
  taskCall: string;
  taskKwargs: Record<string, unknown>;
}

export interface DemoOptions {
  database: Database;
  /** Seals the passwords of the simulated meters. */
  publicKey: string;
  invoke: (invocation: DemoInvocation) => Promise<unknown>;
  log: Logger;
}

export interface Demo {
  /** How many meters are simulated. */
  readonly meters: number;
  /** Invokes no more and closes the simulated meters. */
  stop(): Promise<void>;
}

/**
 * Starts the simulated fleet, registers it, and then invokes one meter after the other every five seconds for its newest
 * one-minute values, so that readings are always on their way. A failed invocation is logged and the next one made.
 */
export async function startDemo({ database, publicKey, invoke, log }: DemoOptions): Promise<Demo> {
  const fleet = await startFleet({ meters: METERS, seed: SEED, minuteArchive: true });
  const stopping = new AbortController();
  try {
    const meterIds = await seedDemo(database, fleet.meters, publicKey);
    const driving = drive(meterIds, invoke, log, stopping.signal);
    return {
      meters: METERS,
      stop: async () => {
        stopping.abort();
        await driving;
        await fleet.stop();
      },
    };
  } catch (error) {
    await fleet.stop();
    throw error;
  }
}

async function drive(
  meterIds: readonly string[],
  invoke: DemoOptions['invoke'],
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  for (let turn = 0; !signal.aborted; turn++) {
    const meterDevice = meterIds[turn % meterIds.length]!;
    try {
      await invoke({
        meterDevice,
        meterExecutionType: 'generic_lis200',
        taskCall: 'read_archive_by_offset_seconds',
        taskKwargs: { offset_seconds: 300, archive_number: 13, control_position: 3 },
      });
    } catch (error) {
      log.warn({ err: error, meterDevice }, 'the demo could not invoke a meter');
    }
    await pause(INVOKE_EVERY_MS, signal);
  }
}
