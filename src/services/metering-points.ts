import { z } from 'zod';
import { MeteringPoint } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import type { MeteringPointOrderField } from '../domain/orderings.js';
import type { Broker } from '../messaging/broker.js';
import { description, merged, name, parseInput, text } from './input.js';
import type { NameSelection } from './name-filter.js';
import type { OrderBy, Orderings } from './ordering.js';
import type { Page, PageRequest } from './page.js';
import { announceRowChanges } from './row-changes.js';
import { countRows, TenantService, type Deletion } from './tenant-service.js';
import { use } from './uses.js';

const reference = text(150).nullable().default(null);
const PointFields = z.object({
  name,
  description: description.default(''),
  customerReference: reference,
  tariffReference: reference,
});
export type CreateMeteringPoint = z.input<typeof PointFields>;
export type UpdateMeteringPoint = Partial<CreateMeteringPoint> & { id: string; expectedVersion?: number | null };

export interface MeteringPointSelection extends NameSelection {
  ids?: string[] | null;
  customerReference?: string | null;
  tariffReference?: string | null;
  meterDevice?: string | null;
  hasMeter?: boolean | null;
  updatedSince?: Date | null;
}

const ORDERINGS: Orderings<MeteringPointOrderField> = {
  CREATED_AT: 'id',
  UPDATED_AT: { column: 'updated_at', type: 'timestamptz' },
  NAME: { column: 'name', type: 'text' },
  CUSTOMER_REFERENCE: { column: 'customer_reference', type: 'text', nullable: true },
};

/** The places that are billed. */
export class MeteringPointService extends TenantService<MeteringPoint> {
  constructor(
    database: Database,
    private readonly broker: Pick<Broker, 'broadcast'>,
  ) {
    super(database, MeteringPoint, 'MeteringPoint', ORDERINGS);
  }

  page(
    organizationId: string,
    request: PageRequest,
    selection: MeteringPointSelection = {},
    orderBy?: OrderBy<MeteringPointOrderField> | null,
  ): Promise<Page<MeteringPoint>> {
    const { ids, customerReference, tariffReference, meterDevice, hasMeter, updatedSince } = selection;
    return this.list({
      organizationId,
      request,
      orderBy,
      where: (conditions) =>
        conditions
          .ids('t.id', ids)
          .name('t', selection)
          .equals('t.customer_reference', customerReference)
          .equals('t.tariff_reference', tariffReference)
          .related(
            meterDevice,
            (id) => `t.id in (select metering_point_id from installation where meter_device_id = ${id})`,
          )
          .whether(
            hasMeter,
            `exists (select from installation i where i.metering_point_id = t.id
              and i.installed_at <= now() and (i.removed_at is null or i.removed_at > now()))`,
          )
          .between('t.updated_at', updatedSince, null),
    });
  }

  create(organizationId: string, input: CreateMeteringPoint): Promise<MeteringPoint> {
    const fields = parseInput(PointFields, input);
    return this.insert(organizationId, fields.name, async (em) =>
      em.create(MeteringPoint, { ...fields, organization: organizationId }),
    );
  }

  async update(
    organizationId: string,
    { id, expectedVersion, ...changes }: UpdateMeteringPoint,
  ): Promise<MeteringPoint> {
    const edit = { id, expectedVersion, name: changes.name };
    const updated = await this.edit(organizationId, edit, async (em, point) =>
      em.assign(point, parseInput(PointFields, merged(point, changes))),
    );
    await announceRowChanges(this.broker, organizationId, await this.metersAt(updated.id));
    return updated;
  }

  /** Refused while it has installations: they say whose the readings are. By force they go with it. */
  async delete(organizationId: string, deletion: Deletion): Promise<{ id: string }> {
    let meters: string[] = [];
    const deleted = await this.remove(organizationId, deletion, {
      uses: async (em, { id }) => ({
        links: use(
          await countRows(em, 'select count(*) as count from installation where metering_point_id = ?', [id]),
          ['installation', 'installations'],
          'without which the readings of their time are of no place',
        ),
        cure: 'Keep the point, or delete them first if they are wrong',
      }),
      unlink: async (em, { id }) => {
        const gone = await em.execute<{ meter: string }[]>(
          `delete from installation where metering_point_id = ? returning meter_device_id as meter,
             installed_at as "installedAt", removed_at as "removedAt"`,
          [id],
        );
        meters = [...new Set(gone.map(({ meter }) => meter))];
        return { installations: gone };
      },
    });
    await announceRowChanges(this.broker, organizationId, meters);
    return deleted;
  }

  /** Meters that are or were at the point: ingesters keep with them what billing calls it. */
  private async metersAt(point: string): Promise<string[]> {
    const { rows } = await this.database.pool.query<{ id: string }>(
      'select distinct meter_device_id as id from installation where metering_point_id = $1',
      [point],
    );
    return rows.map(({ id }) => id);
  }
}
