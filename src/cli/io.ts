/** What a command sees of the world outside: the process's own streams, or a test's. */
export interface CliIo {
  /** Writes one line to stdout: the command's result. */
  out(line: string): void;
  /** Writes one line to stderr: what a person should know beside the result. */
  note(line: string): void;
  readonly env: NodeJS.ProcessEnv;
  /** Aborts at Ctrl-C or SIGTERM. From the first call on these signals do nothing else. */
  interrupted(): AbortSignal;
}

/** Exit codes of all commands. */
export const EXIT = { done: 0, failed: 1, usage: 2, unreachable: 3, timedOut: 4, interrupted: 130 } as const;

/** Ends a command with an exit code other than 0; the message goes to stderr without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  constructor(
    readonly exitCode: number,
    message: string,
  ) {
    super(message);
  }
}

/** The io of this process. */
export function processIo(): CliIo {
  // A reader such as `head` that has enough closes the pipe: that is the end, not a failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.done);
    throw error;
  });
  let interruption: AbortController | undefined;
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    note: (line) => void process.stderr.write(`${line}\n`),
    env: process.env,
    interrupted: () => {
      if (interruption) return interruption.signal;
      const controller = (interruption = new AbortController());
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        process.once(signal, () => {
          controller.abort();
        });
      }
      return controller.signal;
    },
  };
}
