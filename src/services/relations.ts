import type { Database } from '../db/database.js';

/** Many-to-many relations, each as its table and the columns it is read from and to. */
const RELATIONS = {
  groupsOfTask: ['amr_task_group_tasks', 'amr_task_id', 'amr_task_group_id'],
  tasksOfGroup: ['amr_task_group_tasks', 'amr_task_group_id', 'amr_task_id'],
  groupsOfMeter: ['meter_device_task_groups', 'meter_device_id', 'amr_task_group_id'],
  tasksOfMeter: ['meter_device_meter_tasks', 'meter_device_id', 'amr_task_id'],
} as const;
export type RelationName = keyof typeof RELATIONS;

/** Ids on the other side of many-to-many relations. */
export class RelationService {
  constructor(private readonly database: Database) {}

  /** The related ids of each of `ids` that has any, oldest first. */
  async idsOf(relation: RelationName, ids: readonly string[]): Promise<Map<string, string[]>> {
    const [table, from, to] = RELATIONS[relation];
    const { rows } = await this.database.pool.query<{ id: string; related: string[] }>(
      `select ${from} as id, array_agg(${to}::text order by ${to}) as related from ${table}
        where ${from} = any($1::uuid[]) group by 1`,
      [ids],
    );
    return new Map(rows.map(({ id, related }) => [id, related]));
  }
}
