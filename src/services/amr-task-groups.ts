import { z } from 'zod';
import { AmrTask, AmrTaskGroup } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import type { AmrTaskGroupOrderField } from '../domain/orderings.js';
import type { Broker } from '../messaging/broker.js';
import { description, ids, merged, name, parseInput } from './input.js';
import type { NameSelection } from './name-filter.js';
import type { OrderBy, Orderings } from './ordering.js';
import type { Page, PageRequest } from './page.js';
import { announceWithdrawn, countOpenRuns, withdrawRuns, type Withdrawn } from './run-withdrawal.js';
import { countRows, requireAll, TenantService, type Deletion } from './tenant-service.js';
import { use } from './uses.js';

const GroupFields = z.object({ name, description: description.default(''), tasks: ids.optional() });
export type CreateAmrTaskGroup = z.input<typeof GroupFields>;
export type UpdateAmrTaskGroup = Partial<CreateAmrTaskGroup> & { id: string; expectedVersion?: number | null };

export interface AmrTaskGroupSelection extends NameSelection {
  ids?: string[] | null;
  amrTask?: string | null;
  meterDevice?: string | null;
  updatedSince?: Date | null;
}

const ORDERINGS: Orderings<AmrTaskGroupOrderField> = {
  CREATED_AT: 'id',
  UPDATED_AT: { column: 'updated_at', type: 'timestamptz' },
  NAME: { column: 'name', type: 'text' },
};

/** Scheduled runs that no other group and no meter itself asks for; the parameter is the group, twice. */
const RUNS_OF_GROUP_ALONE = `r.origin = 'scheduled'
  and exists (
    select from amr_task_group_tasks in_group
    join meter_device_task_groups of_group using (amr_task_group_id)
    where in_group.amr_task_group_id = ? and in_group.amr_task_id = r.amr_task_id
      and of_group.meter_device_id = r.meter_device_id)
  and not exists (
    select from amr_task_group_tasks in_group
    join meter_device_task_groups of_group using (amr_task_group_id)
    where in_group.amr_task_group_id <> ? and in_group.amr_task_id = r.amr_task_id
      and of_group.meter_device_id = r.meter_device_id)
  and not exists (
    select from meter_device_meter_tasks own
    where own.amr_task_id = r.amr_task_id and own.meter_device_id = r.meter_device_id)`;

/** Tasks that belong together. */
export class AmrTaskGroupService extends TenantService<AmrTaskGroup> {
  constructor(
    database: Database,
    private readonly broker: Broker,
  ) {
    super(database, AmrTaskGroup, 'AmrTaskGroup', ORDERINGS);
  }

  page(
    organizationId: string,
    request: PageRequest,
    selection: AmrTaskGroupSelection = {},
    orderBy?: OrderBy<AmrTaskGroupOrderField> | null,
  ): Promise<Page<AmrTaskGroup>> {
    const { ids: groupIds, amrTask, meterDevice, updatedSince } = selection;
    return this.list({
      organizationId,
      request,
      orderBy,
      where: (conditions) =>
        conditions
          .ids('t.id', groupIds)
          .name('t', selection)
          .related(
            amrTask,
            (id) => `t.id in (select amr_task_group_id from amr_task_group_tasks where amr_task_id = ${id})`,
          )
          .related(
            meterDevice,
            (id) => `t.id in (select amr_task_group_id from meter_device_task_groups where meter_device_id = ${id})`,
          )
          .between('t.updated_at', updatedSince, null),
    });
  }

  create(organizationId: string, input: CreateAmrTaskGroup): Promise<AmrTaskGroup> {
    const { tasks = [], ...fields } = parseInput(GroupFields, input);
    return this.insert(organizationId, fields.name, async (em) => {
      const members = await requireAll(em, AmrTask, 'AmrTask', organizationId, tasks, 'input.tasks');
      const group = em.create(AmrTaskGroup, { ...fields, organization: organizationId });
      group.tasks.set(members);
      return group;
    });
  }

  update(organizationId: string, { id, expectedVersion, ...changes }: UpdateAmrTaskGroup): Promise<AmrTaskGroup> {
    return this.edit(
      organizationId,
      { id, expectedVersion, name: changes.name },
      async (em, group) => {
        const current = { name: group.name, description: group.description };
        const { tasks, ...fields } = parseInput(GroupFields, merged(current, changes));
        if (tasks) {
          group.tasks.set(await requireAll(em, AmrTask, 'AmrTask', organizationId, tasks, 'input.tasks'));
        }
        em.assign(group, fields);
      },
      changes.tasks === undefined ? [] : ['tasks'],
    );
  }

  /** Refused while it joins tasks or meters: their polling would stop unnoticed. By force they leave it. */
  async delete(organizationId: string, deletion: Deletion): Promise<{ id: string }> {
    let withdrawn: Withdrawn | undefined;
    const deleted = await this.remove(organizationId, deletion, {
      uses: async (em, { id }) => {
        const meters = await countRows(
          em,
          'select count(*) as count from meter_device_task_groups where amr_task_group_id = ?',
          [id],
        );
        const tasks = await countRows(
          em,
          'select count(*) as count from amr_task_group_tasks where amr_task_group_id = ?',
          [id],
        );
        const runs = meters * tasks === 0 ? 0 : await countOpenRuns(em, RUNS_OF_GROUP_ALONE, [id, id]);
        return {
          links: [
            ...use(meters, ['meter', 'meters'], 'which would no longer be polled for it'),
            ...use(tasks, ['task', 'tasks'], 'which would leave it, and stay'),
            ...use(runs, ['run that has not ended', 'runs that have not ended'], 'which would be cancelled'),
          ],
          cure: 'Take them out of it first',
        };
      },
      unlink: async (em, { id }) => {
        const links = await em.execute<{ meters: string; tasks: string }[]>(
          `select (select count(*) from meter_device_task_groups where amr_task_group_id = ?) as meters,
             (select count(*) from amr_task_group_tasks where amr_task_group_id = ?) as tasks`,
          [id, id],
        );
        withdrawn = await withdrawRuns(em, RUNS_OF_GROUP_ALONE, [id, id], 'cancelled, as its task group was deleted');
        return {
          metersTakenOut: Number(links[0]!.meters),
          tasksTakenOut: Number(links[0]!.tasks),
          cancelledRuns: withdrawn.cancelled,
          cancelRequestedRuns: withdrawn.requested,
        };
      },
    });
    if (withdrawn) await announceWithdrawn(this.broker, withdrawn);
    return deleted;
  }
}
