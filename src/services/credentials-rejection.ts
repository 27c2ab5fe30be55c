import type pg from 'pg';
import { CREDENTIALS_CURE } from './run-hindrance.js';

/** Runs that are announced when they fail together; who lists more reads their rows. */
const ANNOUNCED = 1_000;

/** What a run says that is not carried out, as its meter refused its credentials. A piece of SQL. */
const MESSAGE = `'the meter refused its credentials and is left alone, as meters lock out; ${CREDENTIALS_CURE}'`;

/**
 * Holds the meters that rejected their credentials, as a few more tries would lock them out, and fails what waits for
 * meters that are held: also tries just put back that shared a session with the one that was rejected.
 * @param failed tries that ended without success
 * @returns runs to announce, not all when they are very many
 */
export async function failRunsOfRejectedMeters(
  client: pg.ClientBase,
  failed: readonly { meter: string; rejects: boolean }[],
): Promise<{ id: string; organization_id: string }[]> {
  if (failed.length === 0) return [];
  // Locked before the runs are looked at: of two results of one session booked at once the later sees both.
  const { rows: meters } = await client.query<{ id: string; held: boolean }>(
    `select id, credentials_rejected_at is not null as held from meter_device
     where id = any($1::uuid[]) order by id for no key update`,
    [failed.map(({ meter }) => meter)],
  );
  const rejecting = new Set(failed.filter(({ rejects }) => rejects).map(({ meter }) => meter));
  const held = meters.filter((meter) => meter.held || rejecting.has(meter.id)).map(({ id }) => id);
  if (held.length === 0) return [];
  await client.query(
    'update meter_device set credentials_rejected_at = now() where id = any($1::uuid[]) and credentials_rejected_at is null',
    [held],
  );
  const { rows } = await client.query<{ id: string; organization_id: string }>(
    `update task_run set state = 'failed', finished_at = now(), error_code = 'CREDENTIALS_REJECTED',
       error_message = ${MESSAGE}
     where meter_device_id = any($1::uuid[]) and state = 'pending' returning id, organization_id`,
    [held],
  );
  return rows.slice(0, ANNOUNCED);
}
