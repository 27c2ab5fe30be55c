import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { messageOf, StartupError } from '../errors.js';
import type { RowError } from './row-reader.js';

const FLUSH_CHARACTERS = 65_536;

/** All errors of an import as CSV: line, column, text, problem. Made with the first error; one of an earlier import goes. */
export class ErrorsFile {
  private descriptor: number | undefined;
  private pending = 'line,column,text,problem\n';

  constructor(readonly path: string) {
    rmSync(path, { force: true });
  }

  add(line: number, { column, text, problem }: RowError): void {
    this.pending += `${[String(line), column, text, problem].map(quoted).join(',')}\n`;
    if (this.pending.length > FLUSH_CHARACTERS || this.descriptor === undefined) this.flush();
  }

  close(): void {
    if (this.descriptor === undefined) return;
    this.flush();
    closeSync(this.descriptor);
  }

  private flush(): void {
    try {
      this.descriptor ??= openSync(this.path, 'w');
      writeSync(this.descriptor, this.pending);
    } catch (error) {
      throw new StartupError(`${this.path} cannot be written: ${messageOf(error)}. Name another with --errors.`, {
        cause: error,
      });
    }
    this.pending = '';
  }
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
