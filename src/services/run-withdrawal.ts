import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { Broker } from '../messaging/broker.js';
import { broadcastCancel } from './cancel-requests.js';
import { announceRuns } from './run-events.js';

/** Runs that listeners and pollers are told of at once: who lists more reads their rows, and requests are repeated. */
const MAX_TOLD = 5_000;
const CHUNK = 500;

interface Told {
  id: string;
  organization_id: string;
}

/** What a withdrawal did, to be told after its commit. */
export interface Withdrawn {
  /** Runs that waited and are cancelled. */
  readonly cancelled: number;
  /** Runs at a meter, which end as soon as their poller hears of it. */
  readonly requested: number;
  readonly told: readonly Told[];
  readonly atMeters: readonly string[];
}

/** In the words of the partial indexes: open runs are few, those of a task or a meter many. */
const NOT_ENDED = `(r.state = 'pending' or r.state in ('dispatched', 'running'))`;

/** How many runs have not ended among those that `where`, with its parameters, selects of `task_run r`. */
export async function countOpenRuns(em: SqlEntityManager, where: string, parameters: unknown[]): Promise<number> {
  const [row] = await em.execute<{ count: number }[]>(
    `select count(*)::int as count from task_run r where ${NOT_ENDED} and ${where}`,
    parameters,
  );
  return row!.count;
}

/**
 * Withdraws runs that have not ended, in the transaction at hand: those that wait are cancelled, those at a meter are asked
 * for. The dispatcher claims under the same lock: it has a run, or it never gets it.
 */
export async function withdrawRuns(
  em: SqlEntityManager,
  where: string,
  parameters: unknown[],
  reason: string,
): Promise<Withdrawn> {
  const [waiting] = await em.execute<{ count: number; told: Told[] }[]>(
    `with withdrawn as (
       update task_run r set state = 'cancelled', cancel_requested_at = now(), finished_at = now(),
         error_code = 'CANCELLED', error_message = ?
       where r.state = 'pending' and ${where} returning r.id, r.organization_id)
     select count(*)::int as count,
       coalesce((select jsonb_agg(w) from (select * from withdrawn limit ${MAX_TOLD}) w), '[]') as told from withdrawn`,
    [reason, ...parameters],
  );
  const [atMeters] = await em.execute<{ ids: Told[] }[]>(
    `with asked as (
       update task_run r set cancel_requested_at = coalesce(r.cancel_requested_at, now())
       where r.state in ('dispatched', 'running') and ${where} returning r.id, r.organization_id)
     select coalesce(jsonb_agg(asked), '[]') as ids from asked`,
    parameters,
  );
  return {
    cancelled: waiting!.count,
    requested: atMeters!.ids.length,
    told: [...waiting!.told, ...atMeters!.ids],
    atMeters: atMeters!.ids.map(({ id }) => id),
  };
}

/** Tells pollers and listeners, once it is committed. */
export async function announceWithdrawn(broker: Broker, { told, atMeters }: Withdrawn): Promise<void> {
  for (let from = 0; from < atMeters.length; from += CHUNK) {
    await broadcastCancel(broker, atMeters.slice(from, from + CHUNK));
  }
  await announceRuns(broker, told);
}
