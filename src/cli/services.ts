import { Option, type Command } from 'commander';
import { loadConfig } from '../config.js';
import type { Worker } from '../lifecycle.js';
import type { CliIo } from './io.js';
import { wholeNumber } from './options.js';

const QUEUES = {
  'amr.scheduled': ['amr.scheduled'],
  'amr.on_demand': ['amr.on_demand'],
  both: ['amr.scheduled', 'amr.on_demand'],
} as const;

/** The long-running commands. Each loads its code when it is called, so that the others start at once. */
export function addServices(program: Command, io: CliIo): void {
  const start = (name: string, load: () => Promise<Worker>) => startService(io, name, load);

  program
    .command('up')
    .description('Run everything in one process: database, broker, API, workers, and a demo fleet (AMR_DEMO=off: none)')
    .action(() => start('up', async () => (await import('../embedded/up.js')).up));

  program
    .command('server')
    .description('Serve the GraphQL API, subscriptions, /health and /metrics')
    .action(() => start('server', async () => (await import('../server.js')).server));

  program
    .command('scheduler')
    .description('Make the runs of due tasks, hand them to pollers and book their results; any number may run')
    .action(() => start('scheduler', async () => (await import('../../workers/scheduler.js')).scheduler));

  program
    .command('poller')
    .description('Read meters; any number may run, on any host that reaches the broker and the meters')
    .addOption(new Option('--queue <name>', 'what to work on').choices(Object.keys(QUEUES)).default('both'))
    .option(
      '--sessions <number>',
      'meter sessions open at once, per queue (default: AMR_MAX_SESSIONS)',
      wholeNumber(1, 20_000),
    )
    .action((options: { queue: keyof typeof QUEUES; sessions?: number }) =>
      start('poller', async () => {
        const { poller } = await import('../../workers/poller.js');
        const sessions = options.sessions ?? loadConfig(io.env).maxSessions;
        return poller({ queues: QUEUES[options.queue], sessions });
      }),
    );

  program
    .command('ingester')
    .description('Store readings and announce what is stored; any number may run')
    .action(() => start('ingester', async () => (await import('../../workers/ingester.js')).ingester));
}

/** Runs a long-running command with this environment's settings. */
export async function startService(io: CliIo, name: string, load: () => Promise<Worker>): Promise<void> {
  const config = loadConfig(io.env);
  const { runService } = await import('../lifecycle.js');
  await runService(name, await load(), config);
}
