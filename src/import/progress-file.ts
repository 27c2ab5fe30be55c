import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { messageOf, StartupError } from '../errors.js';

const Progress = z.object({
  version: z.literal(1),
  /** SHA-256 of the file, hex. */
  digest: z.string(),
  /** Of profile and options, as they decide what a message holds. */
  settings: z.string(),
  collectedAt: z.iso.datetime(),
  /** Messages confirmed without a gap, from the first one on. */
  messages: z.int().min(0),
  /** Rows of which everything is confirmed. */
  rows: z.int().min(0),
});
/** How far an import has come. */
export type Progress = z.infer<typeof Progress>;

/** Where an interrupted import keeps how far it has come; removed when it is done. */
export class ProgressFile {
  constructor(readonly path: string) {}

  /** Undefined when there is none. Throws `StartupError` when it cannot be used. */
  load(): Progress | undefined {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw new StartupError(`${this.path} cannot be read: ${messageOf(error)}`, { cause: error });
    }
    try {
      return Progress.parse(JSON.parse(text));
    } catch (error) {
      throw new StartupError(`${this.path} is not the progress of an import. Start anew with --restart.`, {
        cause: error,
      });
    }
  }

  /** In one step: a process that is killed leaves the old one or the new one. */
  save(progress: Progress): void {
    try {
      writeFileSync(`${this.path}.new`, `${JSON.stringify(progress)}\n`);
      renameSync(`${this.path}.new`, this.path);
    } catch (error) {
      throw new StartupError(`${this.path} cannot be written: ${messageOf(error)}. Name another with --progress.`, {
        cause: error,
      });
    }
  }

  remove(): void {
    rmSync(this.path, { force: true });
  }
}
