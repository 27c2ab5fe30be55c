import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAmr, type AmrProcess } from '../src/scratch/amr-process.js';
import { own } from '../src/scratch/owned.js';

/** File descriptors that a process needs beside its sockets. */
const OWN_FILES = 200;

export interface SimulatedMeter {
  readonly port: number;
  readonly serialNumber: string;
}

export interface SimulatedMeters {
  readonly meters: readonly SimulatedMeter[];
  readonly processes: readonly AmrProcess[];
  /** Of all simulator processes, in seconds. */
  cpuSeconds(): Promise<number>;
  stop(): Promise<void>;
}

/** Files a process may open: Node.js raises its limit to the hard one by itself. Infinity where there is none. */
export function openFilesLimit(): number {
  const text = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  return text === 'unlimited' ? Infinity : Number(text);
}

/**
 * Starts `amr simulate` with a port for each meter, in as many processes as the limit of open files asks for: a meter in
 * a session takes two, its port and its connection.
 */
export async function startSimulatedMeters(count: number, profile?: object): Promise<SimulatedMeters> {
  const perProcess = Math.min(count, Math.floor((openFilesLimit() - OWN_FILES) / 2));
  const extra: string[] = [];
  if (profile) {
    const folder = await mkdtemp(join(tmpdir(), 'amr-bench-'));
    own(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'profile.json');
    await writeFile(file, JSON.stringify(profile));
    extra.push('--profile', file);
  }
  const processes: AmrProcess[] = [];
  const meters: SimulatedMeter[] = [];
  for (let seed = 1; meters.length < count; seed++) {
    const wanted = Math.min(perProcess, count - meters.length);
    const simulator = await startAmr(['simulate', '--meters', String(wanted), '--seed', String(seed), ...extra], {
      env: {},
    });
    processes.push(simulator);
    const first = Number(/serial numbers (\d+)/.exec(simulator.ready)![1]);
    const ports = /ports ([\d ]+)/.exec(simulator.ready)![1]!.trim().split(' ').map(Number);
    meters.push(...ports.map((port, index) => ({ port, serialNumber: String(first + index) })));
  }
  return {
    meters,
    processes,
    cpuSeconds: async () => {
      const all = await Promise.all(processes.map((simulator) => simulator.metrics()));
      return all.reduce((sum, of) => sum + of('process_cpu_seconds_total'), 0);
    },
    stop: async () => void (await Promise.all(processes.map((simulator) => simulator.stop()))),
  };
}
