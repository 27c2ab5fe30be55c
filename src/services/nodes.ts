import type { Database } from '../db/database.js';
import { instantOfUuid, isUuid } from '../domain/uuid.js';

const TABLES = {
  AmrTask: 'amr_task',
  AmrTaskGroup: 'amr_task_group',
  Installation: 'installation',
  MeterDevice: 'meter_device',
  MeteringPoint: 'metering_point',
  NetworkInterface: 'network_interface',
  Segment: 'segment',
  Series: 'series',
  DeadLetter: 'dead_letter',
} as const;
export type NodeKind = keyof typeof TABLES | 'TaskRun';

const KIND_OF_ID = [
  ...Object.entries(TABLES).map(
    ([kind, table]) => `select '${kind}' as kind from ${table} where id = $1 and organization_id = $2`,
  ),
  `select 'TaskRun' from task_run where id = $1 and organization_id = $2 and scheduled_for = $3`,
].join(' union all ');

/** Finds out what an id is the id of. */
export class NodeService {
  constructor(private readonly database: Database) {}

  async kindOf(organizationId: string, id: string): Promise<NodeKind | undefined> {
    if (!isUuid(id)) return undefined;
    const at = instantOfUuid(id);
    const { rows } = await this.database.pool.query<{ kind: NodeKind }>(KIND_OF_ID, [
      id,
      organizationId,
      at === undefined ? null : new Date(at),
    ]);
    return rows[0]?.kind;
  }
}
