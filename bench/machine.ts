import { cpus, loadavg } from 'node:os';

/** What a figure depends on, for the line of settings. */
export function machine(): string {
  return `${cpus().length} cores, Node ${process.version}, load average before ${loadavg()[0]!.toFixed(1)}, broker and database on this machine`;
}

/** A rate as people read it. */
export const fmt = (rate: number) => Math.round(rate).toLocaleString('en');
