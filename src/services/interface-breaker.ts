import type pg from 'pg';
import { holdMs } from '../domain/circuit-breaker.js';

/**
 * Counts a session that did not reach its interface; from the fifth in a row on, scheduled sessions wait for a while
 * (`holdMs`). One that somebody asks for is not held back; when it fails during a hold, the hold stays as it is.
 */
export async function recordUnreachable(
  client: pg.ClientBase,
  networkInterface: string,
  reason: string,
): Promise<void> {
  const { rows } = await client.query<{ failures: number }>(
    `insert into interface_breaker (network_interface_id, failures, error_message) values ($1, 1, $2)
     on conflict (network_interface_id) do update set failures = interface_breaker.failures + 1,
       error_message = excluded.error_message, changed_at = now()
     where interface_breaker.open_until is null or interface_breaker.open_until <= now()
     returning failures`,
    [networkInterface, reason],
  );
  const hold = rows[0] && holdMs(rows[0].failures, Math.random());
  if (hold === undefined) return;
  await client.query(
    `update interface_breaker set open_until = now() + $2 * interval '1 millisecond' where network_interface_id = $1`,
    [networkInterface, hold],
  );
}

/** Ends the count of interfaces that were reached. */
export async function recordReached(client: pg.ClientBase, networkInterfaces: readonly string[]): Promise<void> {
  if (networkInterfaces.length === 0) return;
  await client.query('delete from interface_breaker where network_interface_id = any($1::uuid[])', [networkInterfaces]);
}
