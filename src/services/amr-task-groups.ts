import { z } from 'zod';
import { AmrTask, AmrTaskGroup } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import { description, ids, merged, name, parseInput } from './input.js';
import type { Page, PageRequest } from './page.js';
import { countRows, requireAll, TenantService } from './tenant-service.js';

const GroupFields = z.object({ name, description: description.default(''), tasks: ids.optional() });
export type CreateAmrTaskGroup = z.input<typeof GroupFields>;
export type UpdateAmrTaskGroup = Partial<CreateAmrTaskGroup> & { id: string };

/** Tasks that belong together. */
export class AmrTaskGroupService extends TenantService<AmrTaskGroup> {
  constructor(database: Database) {
    super(database, AmrTaskGroup, 'AmrTaskGroup');
  }

  page(organizationId: string, request: PageRequest): Promise<Page<AmrTaskGroup>> {
    return this.pageWhere(organizationId, request);
  }

  create(organizationId: string, input: CreateAmrTaskGroup): Promise<AmrTaskGroup> {
    const { tasks = [], ...fields } = parseInput(GroupFields, input);
    return this.change(fields.name, async (em) => {
      const members = await requireAll(em, AmrTask, 'AmrTask', organizationId, tasks, 'input.tasks');
      const group = em.create(AmrTaskGroup, { ...fields, organization: organizationId });
      group.tasks.set(members);
      return group;
    });
  }

  update(organizationId: string, { id, ...changes }: UpdateAmrTaskGroup): Promise<AmrTaskGroup> {
    return this.change(changes.name, async (em) => {
      const group = await this.locked(em, organizationId, id);
      const current = { name: group.name, description: group.description };
      const { tasks, ...fields } = parseInput(GroupFields, merged(current, changes));
      if (tasks) {
        const members = await requireAll(em, AmrTask, 'AmrTask', organizationId, tasks, 'input.tasks');
        await group.tasks.init();
        group.tasks.set(members);
      }
      return em.assign(group, { ...fields, updatedAt: new Date() });
    });
  }

  /** Refused while meters are in the group: their polling would stop unnoticed. */
  delete(organizationId: string, id: string): Promise<{ id: string }> {
    return this.remove(organizationId, id, async (em) => {
      const meters = await countRows(
        em,
        'select count(*) as count from meter_device_task_groups where amr_task_group_id = ?',
        [id],
      );
      if (meters === 0) return undefined;
      return `is in use by ${meters} ${meters === 1 ? 'meter' : 'meters'}, which would no longer be polled. Take it off them first.`;
    });
  }
}
