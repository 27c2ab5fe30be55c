import { z } from 'zod';
import { Segment } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import { merged, name, parseInput, whole } from './input.js';
import type { Page, PageRequest } from './page.js';
import { countRows, TenantService } from './tenant-service.js';

const limit = whole(1, 1_000_000).nullable().default(null);
const SegmentFields = z.object({ name, maxOpenSessions: limit, maxNewSessionsPerSecond: limit });
export type CreateSegment = z.input<typeof SegmentFields>;
export type UpdateSegment = Partial<CreateSegment> & { id: string };

/** Shared capacity on the way to meters. */
export class SegmentService extends TenantService<Segment> {
  constructor(database: Database) {
    super(database, Segment, 'Segment');
  }

  page(organizationId: string, request: PageRequest): Promise<Page<Segment>> {
    return this.pageWhere(organizationId, request);
  }

  create(organizationId: string, input: CreateSegment): Promise<Segment> {
    const fields = parseInput(SegmentFields, input);
    return this.change(fields.name, async (em) => em.create(Segment, { ...fields, organization: organizationId }));
  }

  update(organizationId: string, { id, ...changes }: UpdateSegment): Promise<Segment> {
    return this.change(changes.name, async (em) => {
      const segment = await this.locked(em, organizationId, id);
      return em.assign(segment, parseInput(SegmentFields, merged(segment, changes)));
    });
  }

  /** Refused while interfaces use it: their sessions would no longer be limited. */
  delete(organizationId: string, id: string): Promise<{ id: string }> {
    return this.remove(organizationId, id, async (em) => {
      const users = await countRows(em, 'select count(*) as count from network_interface where segment_id = ?', [id]);
      if (users === 0) return undefined;
      return `is used by ${users} network ${users === 1 ? 'interface' : 'interfaces'}, whose sessions would no longer be limited. Give them another segment first.`;
    });
  }

  /** Sessions open now, for each segment that has any. */
  async openSessions(ids: readonly string[]): Promise<Map<string, number>> {
    const { rows } = await this.database.pool.query<{ id: string; count: number }>(
      `select i.segment_id as id, count(*)::int as count
         from poll_session s join network_interface i on i.id = s.network_interface_id
        where s.closed_at is null and i.segment_id = any($1::uuid[]) group by 1`,
      [ids],
    );
    return new Map(rows.map(({ id, count }) => [id, count]));
  }
}
