import { z } from 'zod';
import { inTransaction, type Database } from '../db/database.js';
import { recordAudit, type Caller } from './audit.js';
import { takeBookings } from './dead-letter-bookings.js';
import { lockDeadLetters, requireOneSelection, SelectionFields, type RefusedLetter } from './dead-letter-selection.js';
import { OutcomeTally } from './ingest/outcomes.js';
import { flag, name, parseInput } from './input.js';

const DiscardFields = z.object({ ...SelectionFields, dryRun: flag.nullish(), reason: name });
export type DiscardInput = z.input<typeof DiscardFields>;

export interface Discarded {
  /** Letters found, refused ones too. */
  matched: number;
  discarded: number;
  refused: RefusedLetter[];
}

/** Gives dead letters up for good, with the reason somebody has for it. */
export class DiscardService {
  constructor(private readonly database: Database) {}

  /** State, account and audit entry change in one transaction: their readings count as discarded from then on. */
  discardDeadLetters(organizationId: string, input: DiscardInput, caller: Caller = {}): Promise<Discarded> {
    const fields = parseInput(DiscardFields, input);
    requireOneSelection(fields);
    return inTransaction(this.database.pool, async (client) => {
      const { letters, refused } = await lockDeadLetters(client, organizationId, fields);
      const matched = letters.length + refused.length;
      if (fields.dryRun || letters.length === 0) return { matched, discarded: 0, refused };
      const ids = letters.map(({ id }) => id);
      await client.query(
        `update dead_letter set state = 'discarded', closed_at = now(), reading_count = 0 where id = any($1::uuid[])`,
        [ids],
      );
      const tally = new OutcomeTally();
      for (const bookings of (await takeBookings(client, ids)).values()) {
        for (const { publication, at, readings } of bookings) {
          tally.add(organizationId, publication, at, 'dead_lettered', -readings);
          tally.add(organizationId, publication, at, 'discarded', readings);
        }
      }
      await tally.book(client);
      await recordAudit(client, {
        actor: caller.actor,
        source: caller.source,
        organization: organizationId,
        action: 'discardDeadLetters',
        subjectType: 'DeadLetter',
        after: { fingerprint: fields.fingerprint ?? undefined, reason: fields.reason, ids },
      });
      return { matched, discarded: ids.length, refused };
    });
  }
}
