import type { Command } from 'commander';
import type { GraphqlClient } from '../graphql/client.js';
import {
  DeadLetterGroupsDocument,
  DiscardDeadLettersDocument,
  RedriveDeadLettersDocument,
} from '../graphql/generated/graphql.js';
import { withClient } from './client.js';
import { CommandError, EXIT, type CliIo } from './io.js';
import { apiUrl, DEFAULT_URL, TOKEN_HELP, wholeNumber } from './options.js';
import { tableLines } from './table.js';

const MAX_GROUPS = 500;
const MAX_REFUSED_SHOWN = 10;

interface DeadLettersOptions {
  url: string;
  token?: string;
  queue?: string;
  fingerprint?: string;
  redrive?: boolean;
  discard?: boolean;
  reason?: string;
  dryRun?: boolean;
  rate?: number;
  force?: boolean;
}

export function addDeadLetters(program: Command, io: CliIo): void {
  program
    .command('dead-letters')
    .description('List messages that could not be processed by what is wrong with them; redrive or discard them')
    .option('--queue <name>', 'list only letters from this queue')
    .option('--fingerprint <text>', 'the group to redrive or discard, as listed')
    .option('--redrive', 'put the letters of the group back into their queue')
    .option('--discard', 'give the letters of the group up for good')
    .option('--reason <text>', 'why they are discarded: for the audit')
    .option('--dry-run', 'only tell how many it would be')
    .option('--rate <number>', 'letters redriven in a second (default: 200)', wholeNumber(1, 5_000))
    .option('--force', 'redrive letters too that came back three times')
    .option('--url <url>', "the API's address", apiUrl, DEFAULT_URL)
    .option('--token <token>', TOKEN_HELP)
    .addHelpText(
      'after',
      `
One call takes at most 10,000 letters: repeat it for more.
Exit codes: 0 done, 1 some letters were refused or none matched, 2 wrong usage, 3 the API cannot be reached.

Examples:
  $ amr dead-letters
  $ amr dead-letters --fingerprint 'readings.new: readings.#.series: …' --redrive --dry-run
  $ amr dead-letters --fingerprint 'readings.new: readings.#.series: …' --discard --reason 'test meter'`,
    )
    .action((options: DeadLettersOptions) => {
      const work = workOf(options);
      return withClient(options, io, (client) => work(client, options, io));
    });
}

type Work = (client: GraphqlClient, options: DeadLettersOptions, io: CliIo) => Promise<void>;

function workOf({ fingerprint, redrive, discard, reason, dryRun, rate, force, queue }: DeadLettersOptions): Work {
  const refuse = (message: string) => new CommandError(EXIT.usage, message);
  if (redrive && discard) throw refuse('Give --redrive or --discard, not both.');
  if (!redrive && !discard) {
    if (fingerprint ?? reason ?? dryRun ?? rate ?? force) throw refuse('Give --redrive or --discard too.');
    return showGroups;
  }
  if (fingerprint === undefined) throw refuse('Give the group with --fingerprint; `amr dead-letters` lists them.');
  if (queue !== undefined) throw refuse('--queue is for the list: a fingerprint has its queue in it.');
  if (discard && reason === undefined) throw refuse('Give the reason with --reason: the audit keeps it.');
  if (redrive && reason !== undefined) throw refuse('--reason is for --discard.');
  if (discard && (rate ?? force)) throw refuse('--rate and --force are for --redrive.');
  return redrive ? redriveGroup : discardGroup;
}

async function showGroups(client: GraphqlClient, { queue }: DeadLettersOptions, io: CliIo): Promise<void> {
  const { deadLetterGroups } = await client.request(DeadLetterGroupsDocument, { queue, first: MAX_GROUPS });
  if (deadLetterGroups.length === 0) return io.note('There are no dead letters.');
  const rows = deadLetterGroups.map((group) => [
    ...[String(group.count), group.readings, group.occurrences, group.lastSeenAt, group.fingerprint],
  ]);
  for (const line of tableLines(['LETTERS', 'READINGS', 'TIMES', 'LAST SEEN', 'FINGERPRINT'], rows)) io.out(line);
  if (rows.length === MAX_GROUPS) io.note(`Only the ${MAX_GROUPS} groups last seen are shown.`);
}

async function redriveGroup(client: GraphqlClient, options: DeadLettersOptions, io: CliIo): Promise<void> {
  const { fingerprint, dryRun, rate, force } = options;
  const input = { fingerprint, dryRun, ratePerSecond: rate, force };
  const { redriveDeadLetters: done } = await client.request(RedriveDeadLettersDocument, { input });
  requireMatch(done.matched, options);
  const count = done.matched - done.refused.length;
  if (dryRun) io.out(`${count} of ${done.matched} dead letters would be redriven`);
  else io.out(`${done.redriven} of ${done.matched} dead letters redriven, ${done.underWay} under way`);
  showRefused(done.refused, io);
}

async function discardGroup(client: GraphqlClient, options: DeadLettersOptions, io: CliIo): Promise<void> {
  const { fingerprint, dryRun, reason = '' } = options;
  const input = { fingerprint, dryRun, reason };
  const { discardDeadLetters: done } = await client.request(DiscardDeadLettersDocument, { input });
  requireMatch(done.matched, options);
  const count = done.matched - done.refused.length;
  if (dryRun) io.out(`${count} of ${done.matched} dead letters would be discarded`);
  else io.out(`${done.discarded} of ${done.matched} dead letters discarded`);
  showRefused(done.refused, io);
}

/** A slip of the keyboard looks like success otherwise. */
function requireMatch(matched: number, { fingerprint }: DeadLettersOptions): void {
  if (matched > 0) return;
  throw new CommandError(
    EXIT.failed,
    `No dead letter that waits has the fingerprint ${JSON.stringify(fingerprint)}; \`amr dead-letters\` lists those there are.`,
  );
}

function showRefused(refused: readonly { id: string; reason: string }[], io: CliIo): void {
  if (refused.length === 0) return;
  for (const { id, reason } of refused.slice(0, MAX_REFUSED_SHOWN)) io.note(`${id}: ${reason}`);
  throw new CommandError(EXIT.failed, `${refused.length} dead letters were left as they are.`);
}
