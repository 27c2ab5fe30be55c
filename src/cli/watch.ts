import type { Command } from 'commander';
import type { GraphqlClient } from '../graphql/client.js';
import { MeterReadingAddedDocument, type MeterReadingAddedSubscription } from '../graphql/generated/graphql.js';
import { until, withClient } from './client.js';
import type { CliIo } from './io.js';
import { findMeter, findTaskGroup } from './meters.js';
import { apiUrl, collected, DEFAULT_URL, TOKEN_HELP, wholeNumber } from './options.js';

type Reading = MeterReadingAddedSubscription['meterReadingAdded'];

interface WatchOptions {
  url: string;
  token?: string;
  meter?: string[];
  group?: string[];
  series?: string[];
  after?: string;
  json?: boolean;
  count?: number;
}

export function addWatch(program: Command, io: CliIo): void {
  program
    .command('watch')
    .description('Show readings as they are stored, until Ctrl-C; goes on where it was after a lost connection')
    .option('--meter <name>', 'only this meter, by name or id; may be repeated', collected)
    .option('--group <name>', 'only meters in this task group, by name or id; may be repeated', collected)
    .option('--series <name>', 'only this series, e.g. 2:300; may be repeated', collected)
    .option('--after <cursor>', 'first everything stored since this cursor (see --json)')
    .option('--json', 'one JSON object a line, with the cursor')
    .option('--count <number>', 'end after so many readings', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--url <url>', "the API's address", apiUrl, DEFAULT_URL)
    .option('--token <token>', TOKEN_HELP)
    .addHelpText(
      'after',
      '\nExamples:\n  $ amr watch --meter DEMO-0001\n  $ amr watch --json --count 100 > readings.ndjson',
    )
    .action((options: WatchOptions) => withClient(options, io, (client) => watch(client, options, io)));
}

async function watch(client: GraphqlClient, options: WatchOptions, io: CliIo): Promise<void> {
  const [meters, groups] = await Promise.all([
    Promise.all((options.meter ?? []).map((name) => findMeter(client, name))),
    Promise.all((options.group ?? []).map((name) => findTaskGroup(client, name))),
  ]);
  const filter = {
    ...(meters.length > 0 && { meterDevices: meters.map(({ id }) => id) }),
    ...(groups.length > 0 && { taskGroups: groups.map(({ id }) => id) }),
    ...(options.series && { series: options.series }),
  };
  let after = options.after;
  let left = options.count ?? Infinity;
  const readings = client.subscribe(MeterReadingAddedDocument, () => ({ filter, after }), {
    onDisconnect: (reason) => io.note(`The connection was lost (${reason}); trying again.`),
  });
  for await (const { meterReadingAdded: reading } of until(io.interrupted(), readings)) {
    io.out(options.json ? JSON.stringify(reading) : readingLine(reading));
    after = reading.cursor ?? after;
    if (--left === 0) return;
  }
}

function readingLine({ timestamp, meterDevice, series, value, unit, origin, quality }: Reading): string {
  const flags = quality.length > 0 ? `  ${quality.join(',')}` : '';
  return `${timestamp}  ${meterDevice.name}  ${series}  ${value} ${unit ?? ''}  ${origin.toLowerCase()}${flags}`;
}
