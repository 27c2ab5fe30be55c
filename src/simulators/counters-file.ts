import { writeFile } from 'node:fs/promises';
import type { Fleet } from './fleet.js';

/** Writes what the meters of `fleet` were put through: counts of the fleet, of each port, and codes tried by meter. */
export async function writeCountersFile(file: string, fleet: Fleet): Promise<void> {
  const content = { ...fleet.counters, codesTried: fleet.codesTriedByMeter(), ports: fleet.ports() };
  await writeFile(file, `${JSON.stringify(content, null, 2)}\n`);
}
