import type pg from 'pg';
import { InputError } from '../errors.js';

/** What an idempotency key stands for. */
interface KeyRow {
  task_run_id: string;
  group_request: string | null;
}

/**
 * Takes the key for `runId`, or returns the run of whoever took it first; waits for one that is taking it now.
 * @param groupRequest what is invoked, where it is a group: `runId` then only carries the moment of its runs
 */
export async function claimKey(
  client: pg.ClientBase,
  organizationId: string,
  key: string,
  runId: string,
  groupRequest: string | null = null,
): Promise<string> {
  const { rowCount } = await client.query(
    'insert into invocation_key (organization_id, key, task_run_id, group_request) values ($1, $2, $3, $4) on conflict do nothing',
    [organizationId, key, runId, groupRequest],
  );
  if (rowCount === 1) return runId;
  return (await runOfKey(client, organizationId, key, groupRequest))!;
}

/** The run that the key made, undefined for a new key; throws `CONFLICT` for a key of another kind of invocation, or of another group. */
export async function runOfKey(
  database: Pick<pg.ClientBase, 'query'>,
  organizationId: string,
  key: string,
  groupRequest: string | null = null,
): Promise<string | undefined> {
  const { rows } = await database.query<KeyRow>(
    'select task_run_id, group_request from invocation_key where organization_id = $1 and key = $2',
    [organizationId, key],
  );
  const [row] = rows;
  if (row && row.group_request !== groupRequest) {
    throw new InputError(
      'CONFLICT',
      `input.idempotencyKey belongs to ${row.group_request === null ? `a single call (run ${row.task_run_id})` : 'another invocation of a group'}. Use a new key for a new invocation.`,
      'input.idempotencyKey',
    );
  }
  return row?.task_run_id;
}
