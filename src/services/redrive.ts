import { z } from 'zod';
import { inTransaction, type Database } from '../db/database.js';
import { InputError, messageOf } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { pause } from '../retry.js';
import type { Logger } from '../telemetry.js';
import { recordAudit, type Caller } from './audit.js';
import {
  lockDeadLetters,
  requireOneSelection,
  SelectionFields,
  type RefusedLetter,
  type SelectedLetter,
} from './dead-letter-selection.js';
import { flag, parseInput, whole } from './input.js';
import { publishRedriven } from './redrive-publishing.js';

const RedriveFields = z.object({
  ...SelectionFields,
  dryRun: flag.nullish(),
  ratePerSecond: whole(1, 5_000).nullish(),
  force: flag.nullish(),
});
export type RedriveInput = z.input<typeof RedriveFields>;

export interface Redriven {
  /** Letters found, refused ones too. */
  matched: number;
  /** Confirmed by the broker. */
  redriven: number;
  /** Being published still. */
  underWay: number;
  refused: RefusedLetter[];
}

const USUAL_RATE = 200;
/** A letter that came back so often comes back again. */
const MAX_REDRIVES = 3;
/** The answer waits this long for publishing to end. */
const ANSWER_MS = 10_000;
/** Letters that this process publishes in the background at once. */
const MAX_UNDER_WAY = 50_000;
const SESSION_QUEUES: ReadonlySet<string> = new Set(['amr.scheduled', 'amr.on_demand']);

/** Puts dead letters back into their queues. */
export class RedriveService {
  private underWay = 0;

  constructor(
    private readonly database: Database,
    private readonly broker: Broker,
    private readonly log: Logger,
    private readonly answerMs = ANSWER_MS,
  ) {}

  /**
   * Marks the letters as under way, with an audit entry, in one transaction, and publishes them after it: a process that
   * dies in between leaves letters that upkeep finds. What takes longer than ten seconds goes on in the background.
   */
  async redriveDeadLetters(organizationId: string, input: RedriveInput, caller: Caller = {}): Promise<Redriven> {
    const fields = parseInput(RedriveFields, input);
    requireOneSelection(fields);
    if (this.underWay >= MAX_UNDER_WAY) {
      throw new InputError('LIMIT_EXCEEDED', `${this.underWay} dead letters are being redriven. Wait until they are.`);
    }
    const { letters, refused, matched } = await inTransaction(this.database.pool, async (client) => {
      const selected = await lockDeadLetters(client, organizationId, fields);
      const refusals = new Map<string, string>();
      for (const letter of selected.letters) {
        const reason = whyNot(letter, fields.force ?? false);
        if (reason !== undefined) refusals.set(letter.id, reason);
      }
      const result = {
        letters: selected.letters.filter(({ id }) => !refusals.has(id)),
        refused: [...selected.refused, ...[...refusals].map(([id, reason]) => ({ id, reason }))],
        matched: selected.letters.length + selected.refused.length,
      };
      if (fields.dryRun || result.letters.length === 0) return result;
      const ids = result.letters.map(({ id }) => id);
      await client.query(
        `update dead_letter set state = 'redriving', redriven_at = now(), redrives = redrives + 1 where id = any($1::uuid[])`,
        [ids],
      );
      await recordAudit(client, {
        ...pick(caller),
        organization: organizationId,
        action: 'redriveDeadLetters',
        subjectType: 'DeadLetter',
        after: { fingerprint: fields.fingerprint ?? undefined, force: fields.force ?? false, ids },
      });
      return result;
    });
    if (fields.dryRun) return { matched, redriven: 0, underWay: 0, refused };
    const redriven = await this.publish(letters, fields.ratePerSecond ?? USUAL_RATE);
    return { matched, refused, ...redriven };
  }

  private async publish(
    letters: readonly SelectedLetter[],
    ratePerSecond: number,
  ): Promise<Pick<Redriven, 'redriven' | 'underWay'>> {
    const { pool } = this.database;
    let redriven = 0;
    let ended = false;
    const answered = new AbortController();
    this.underWay += letters.length;
    void publishRedriven(pool, this.broker, letters, ratePerSecond, this.log, undefined, () => redriven++)
      .catch((error: unknown) => {
        this.log.warn({ err: messageOf(error) }, 'redriving broke off; upkeep goes on with what is left');
      })
      .finally(() => {
        this.underWay -= letters.length;
        ended = true;
        answered.abort();
      });
    await pause(this.answerMs, answered.signal);
    return { redriven, underWay: ended ? 0 : letters.length - redriven };
  }
}

/** Why a dead letter is not redriven. */
function whyNot({ queue, cut, redrives }: SelectedLetter, force: boolean): string | undefined {
  if (SESSION_QUEUES.has(queue)) {
    return `it is a session of ${queue}: the scheduler sends its runs again by itself, and a second session could meet the first at the meter; discard it`;
  }
  if (cut) return 'only the beginning of its body was kept; discard it and send the readings again in smaller messages';
  if (redrives >= MAX_REDRIVES && !force) {
    return `it was redriven ${redrives} times and came back; cure the reason first, then redrive it with force`;
  }
  return undefined;
}

const pick = ({ actor, source }: Caller): Caller => ({ actor, source });
