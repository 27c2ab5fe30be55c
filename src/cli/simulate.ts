import { Argument, type Command } from 'commander';
import type { SimulationOptions } from '../simulators/simulation.js';
import type { CliIo } from './io.js';
import { signedNumber, wholeNumber } from './options.js';
import { startService } from './services.js';

export function addSimulate(program: Command, io: CliIo): void {
  program
    .command('simulate')
    .description('Run a fleet of simulated gas meters (EK280, LIS200 over TCP) on loopback')
    // There is one kind of simulation, and it need not be named.
    .addArgument(new Argument('[what]', 'what to simulate').choices(['fleet']).default('fleet'))
    .option('--meters <number>', 'how many', wholeNumber(1, 100_000), 20)
    .option('--port <number>', 'first port; 0 takes any free ones', wholeNumber(0, 65_535), 0)
    .option(
      '--meters-per-port <number>',
      'meters behind one port, told apart by their address',
      wholeNumber(1, 1000),
      1,
    )
    .option('--seed <number>', 'equal seeds make equal fleets', wholeNumber(0, 2 ** 31), 1)
    .option('--truth <file>', 'keep what the meters hold in this file')
    .option('--counters <file>', 'at the end, write what came to each port and meter to this file')
    .option('--minute-archive', 'keep one-minute values in archive 13')
    .option('--installed-at <time>', 'no values before this time, e.g. 2026-01-31T00:00:00Z')
    .option('--clock-deviation <seconds>', "what every meter's clock is ahead; negative: behind", signedNumber(1e9))
    .option('--profile <file>', 'JSON file: which meters have which fault (docs/simulator.md)')
    .addHelpText(
      'after',
      `
Examples:
  $ amr simulate fleet --meters 50 --port 7000 --truth truth.csv
  $ amr simulate fleet --meters 20000 --meters-per-port 1000 --port 7000 --profile docs/examples/fleet-profile.json`,
    )
    .action((_what: 'fleet', options: SimulationOptions) =>
      startService(io, 'simulate', async () => (await import('../simulators/simulation.js')).simulation(options)),
    );
}
