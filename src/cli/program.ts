import { Command, CommanderError } from 'commander';
import { describeVariables } from '../config.js';
import { InputError, StartupError } from '../errors.js';
import { productVersion } from '../version.js';
import { addCompareStrategies } from './compare-strategies.js';
import { CommandError, EXIT, type CliIo } from './io.js';
import { addDeadLetters } from './dead-letters.js';
import { addImport } from './import.js';
import { addImportMeters } from './import-meters.js';
import { addInvoke } from './invoke.js';
import { addKeys } from './keys.js';
import { addMigrate } from './migrate.js';
import { addServices } from './services.js';
import { addToken } from './token.js';
import { addSimulate } from './simulate.js';
import { addWatch } from './watch.js';

const EXAMPLES = `
Examples:
  $ amr up                                     everything in one process, with a demo fleet
  $ amr watch                                  live readings in the terminal
  $ amr invoke --meter DEMO-0001 --type generic_lis200 \\
      --call read_single_value --kwargs '{"address":"2:300.0"}'
`;

/** Runs one command line. Returns its exit code; a long-running command returns 0 once it has started. */
export async function run(args: readonly string[], io: CliIo): Promise<number> {
  try {
    await createProgram(io).parseAsync(args, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    // Commander has printed its own message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (error instanceof CommandError) {
      io.note(`amr: ${error.message}`);
      return error.exitCode;
    }
    if (error instanceof StartupError || error instanceof InputError) {
      io.note(`amr: ${error.message}`);
      return EXIT.usage;
    }
    throw error;
  }
}

function createProgram(io: CliIo): Command {
  const program = new Command('amr')
    .description('Head-end system for automatic meter reading.')
    .version(productVersion())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text.trimEnd()),
      writeErr: (text) => io.note(text.trimEnd()),
    })
    .showHelpAfterError('(`amr --help` lists what there is)')
    .addHelpText('after', () => EXAMPLES + settings());
  addServices(program, io);
  addMigrate(program, io);
  addKeys(program, io);
  addToken(program, io);
  addInvoke(program, io);
  addWatch(program, io);
  addDeadLetters(program, io);
  addImport(program, io);
  addImportMeters(program, io);
  addSimulate(program, io);
  addCompareStrategies(program, io);
  return program;
}

function settings(): string {
  const variables = describeVariables();
  const width = Math.max(...variables.map(({ name }) => name.length));
  const lines = variables.map(
    ({ name, about, default: value }) => `  ${name.padEnd(width)}  ${about}${value ? ` (default: ${value})` : ''}`,
  );
  return `\nSettings (environment variables):\n${lines.join('\n')}`;
}
