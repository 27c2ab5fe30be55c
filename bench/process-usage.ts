import { readFile } from 'node:fs/promises';
import type pg from 'pg';

/** Clock ticks of /proc per second: a constant of the interface on all that Linux runs Node.js on. */
const TICKS_PER_SECOND = 100;

/** CPU seconds a process has taken so far; undefined when it is gone, or without /proc. */
async function cpuSeconds(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  // Behind the command, which may hold spaces: state is field 3, utime and stime are 14 and 15; see proc(5).
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields && (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Resident memory of a process in MB, now and at its highest so far. Throws without /proc, or when it is gone. */
export async function residentMemory(pid: number): Promise<{ nowMb: number; peakMb: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1').catch((error: unknown) => {
    throw new Error(`the memory of process ${pid} cannot be read from /proc; this benchmark needs Linux`, {
      cause: error,
    });
  });
  const megabytes = (field: string) => (Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]) * 1024) / 1e6;
  return { nowMb: megabytes('VmRSS'), peakMb: megabytes('VmHWM') };
}

/** CPU seconds of the server processes behind the product's connections to one database. */
export class BackendUsage {
  private readonly seen = new Map<number, { first: number; last: number }>();
  private constructor(
    private readonly client: pg.ClientBase,
    private readonly isHere: boolean,
  ) {}

  /** Begins to count, where the server runs on this machine. */
  static async begin(client: pg.ClientBase): Promise<BackendUsage> {
    const { rows } = await client.query<{ here: boolean }>(
      `select coalesce(inet_server_addr() <<= '127.0.0.0/8' or inet_server_addr() = '::1', true) as here`,
    );
    const usage = new BackendUsage(client, rows[0]!.here);
    await usage.sample();
    // Those that come later are counted from their beginning.
    for (const backend of usage.seen.values()) backend.first = backend.last;
    return usage;
  }

  /** Call it now and then: what a backend took after the last call before its end is lost. */
  async sample(): Promise<void> {
    if (!this.isHere) return;
    const { rows } = await this.client.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database() and application_name like 'amr %'`,
    );
    for (const { pid } of rows) {
      const last = await cpuSeconds(pid);
      if (last !== undefined) this.seen.set(pid, { first: this.seen.get(pid)?.first ?? 0, last });
    }
  }

  /** Since the beginning; undefined when it cannot be known. */
  get seconds(): number | undefined {
    return this.seen.size > 0
      ? [...this.seen.values()].reduce((sum, { first, last }) => sum + last - first, 0)
      : undefined;
  }
}
