import { z } from 'zod';
import { Segment } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import type { SegmentOrderField } from '../domain/orderings.js';
import { merged, name, parseInput, whole } from './input.js';
import type { NameSelection } from './name-filter.js';
import type { OrderBy, Orderings } from './ordering.js';
import type { Page, PageRequest } from './page.js';
import { countRows, TenantService, type Deletion } from './tenant-service.js';
import { use } from './uses.js';

const limit = whole(1, 1_000_000).nullable().default(null);
const SegmentFields = z.object({ name, maxOpenSessions: limit, maxNewSessionsPerSecond: limit });
export type CreateSegment = z.input<typeof SegmentFields>;
export type UpdateSegment = Partial<CreateSegment> & { id: string; expectedVersion?: number | null };

export interface SegmentSelection extends NameSelection {
  ids?: string[] | null;
  updatedSince?: Date | null;
}

const ORDERINGS: Orderings<SegmentOrderField> = {
  CREATED_AT: 'id',
  UPDATED_AT: { column: 'updated_at', type: 'timestamptz' },
  NAME: { column: 'name', type: 'text' },
};

/** Shared capacity on the way to meters. */
export class SegmentService extends TenantService<Segment> {
  constructor(database: Database) {
    super(database, Segment, 'Segment', ORDERINGS);
  }

  page(
    organizationId: string,
    request: PageRequest,
    selection: SegmentSelection = {},
    orderBy?: OrderBy<SegmentOrderField> | null,
  ): Promise<Page<Segment>> {
    return this.list({
      organizationId,
      request,
      orderBy,
      where: (conditions) =>
        conditions
          .ids('t.id', selection.ids)
          .name('t', selection)
          .between('t.updated_at', selection.updatedSince, null),
    });
  }

  create(organizationId: string, input: CreateSegment): Promise<Segment> {
    const fields = parseInput(SegmentFields, input);
    return this.insert(organizationId, fields.name, async (em) =>
      em.create(Segment, { ...fields, organization: organizationId }),
    );
  }

  update(organizationId: string, { id, expectedVersion, ...changes }: UpdateSegment): Promise<Segment> {
    return this.edit(organizationId, { id, expectedVersion, name: changes.name }, async (em, segment) =>
      em.assign(segment, parseInput(SegmentFields, merged(segment, changes))),
    );
  }

  /** Refused while interfaces use it: their sessions would no longer be limited. By force they leave it. */
  delete(organizationId: string, deletion: Deletion): Promise<{ id: string }> {
    return this.remove(organizationId, deletion, {
      uses: async (em, { id }) => ({
        links: use(
          await countRows(em, 'select count(*) as count from network_interface where segment_id = ?', [id]),
          ['network interface', 'network interfaces'],
          'whose sessions would no longer be limited',
        ),
        cure: 'Give them another segment first',
      }),
      unlink: async (em, { id }) => {
        const released = await em.execute<{ id: string }[]>(
          'update network_interface set segment_id = null, version = version + 1, updated_at = now() where segment_id = ? returning id',
          [id],
        );
        return { interfacesReleased: released.length };
      },
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
