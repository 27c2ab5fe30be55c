import type { Database } from '../db/database.js';
import { InputError } from '../errors.js';
import { OUTCOMES } from './ingest/outcomes.js';
import { LOSS_KEPT_DAYS } from './loss-minutes.js';
import { pageSize } from './page.js';

const DAY_MS = 86_400_000;
const MINUTE_PAGE = { usual: 60, most: 1_440 };

/** Counts are text: they may exceed what a number holds. */
export interface LossAccount {
  readonly from: Date;
  readonly to: Date;
  readonly published: string;
  readonly stored: string;
  readonly duplicate: string;
  readonly revised: string;
  readonly staged: string;
  readonly deadLettered: string;
  readonly discarded: string;
  readonly inFlight: string;
  readonly unreported: string;
  readonly balanced: boolean;
}

/**
 * What became of the readings published in a period. By minute and publisher, the last count of a publisher holds where it
 * said that it is the last; before, a publisher that came behind its outcomes reports late, or died and reports no more, and
 * its outcomes are what is known to have been published.
 */
export class LossAccountService {
  constructor(private readonly database: Database) {}

  /** Of the minutes that begin in [`from`, `to`), at most 40 days. Throws `BAD_USER_INPUT`. */
  async account(organizationId: string, from: Date, to: Date): Promise<LossAccount> {
    requirePeriod(from, to);
    const { rows } = await this.database.pool.query<LossAccount>(
      `${ACCOUNT} select $2::timestamptz as "from", $3::timestamptz as "to", ${SUMS} from account`,
      [organizationId, from, to],
    );
    return rows[0]!;
  }

  /** The same minute by minute, oldest first, without minutes in which nothing was published. */
  async byMinute(organizationId: string, from: Date, to: Date, first?: number | null): Promise<LossAccount[]> {
    requirePeriod(from, to);
    const { rows } = await this.database.pool.query<LossAccount>(
      `${ACCOUNT} select minute as "from", minute + interval '1 minute' as "to", ${SUMS} from account
       group by minute order by minute limit $4`,
      [organizationId, from, to, pageSize(first, MINUTE_PAGE)],
    );
    return rows;
  }
}

const outcomeSum = OUTCOMES.join(' + ');

/** One snapshot of folded and unfolded rows: none is missing or twice. */
const ACCOUNT = `with booked as (
    select minute, publisher, published, closed, ${OUTCOMES.join(', ')} from loss_minute
    where organization_id = $1 and minute >= $2 and minute < $3
    union all
    select minute, publisher, 0, false, ${OUTCOMES.join(', ')} from reading_outcome
    where organization_id = $1 and minute >= $2 and minute < $3
  ), summed as (
    select minute, publisher, sum(published) as published, bool_or(closed) as closed,
      ${OUTCOMES.map((outcome) => `sum(${outcome}) as ${outcome}`).join(', ')}, sum(${outcomeSum}) as outcomes
    from booked group by minute, publisher
  ), account as (
    select *, publisher is not null as is_reported,
      case when publisher is null then outcomes when closed then published else greatest(published, outcomes) end as expected
    from summed)`;

const reported = (expression: string) => `coalesce(sum(${expression}) filter (where is_reported), 0)::text`;
const SUMS = `${reported('expected')} as published, ${reported('stored')} as stored, ${reported('duplicate')} as duplicate,
  ${reported('revised')} as revised, ${reported('staged')} as staged, ${reported('dead_lettered')} as "deadLettered",
  ${reported('discarded')} as discarded, ${reported('expected - outcomes')} as "inFlight",
  coalesce(sum(outcomes) filter (where not is_reported), 0)::text as unreported,
  coalesce(bool_and(expected = outcomes), true) as balanced`;

function requirePeriod(from: Date, to: Date): void {
  if (to <= from) throw new InputError('BAD_USER_INPUT', 'to must be later than from.', 'to');
  if (to.getTime() - from.getTime() > LOSS_KEPT_DAYS * DAY_MS) {
    throw new InputError(
      'BAD_USER_INPUT',
      `from and to may be at most ${LOSS_KEPT_DAYS} days apart: the account is kept no longer.`,
      'to',
    );
  }
}
