import { z } from 'zod';
import { MeteringPoint } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { description, merged, name, parseInput, text, whole } from './input.js';
import { nameMatches, type NameSelection } from './name-filter.js';
import type { Page, PageRequest } from './page.js';
import { announceRowChanges } from './row-changes.js';
import { countRows, TenantService } from './tenant-service.js';

const reference = text(150).nullable().default(null);
const PointFields = z.object({
  name,
  description: description.default(''),
  customerReference: reference,
  tariffReference: reference,
});
const ExpectedVersion = z.object({ expectedVersion: whole(1, 2_147_483_647).nullish() });
export type CreateMeteringPoint = z.input<typeof PointFields>;
export type UpdateMeteringPoint = Partial<CreateMeteringPoint> & { id: string; expectedVersion?: number | null };

export interface MeteringPointSelection extends NameSelection {
  customerReference?: string | null;
  tariffReference?: string | null;
  meterDevice?: string | null;
}

/** The places that are billed. */
export class MeteringPointService extends TenantService<MeteringPoint> {
  constructor(
    database: Database,
    private readonly broker: Pick<Broker, 'broadcast'>,
  ) {
    super(database, MeteringPoint, 'MeteringPoint');
  }

  async page(
    organizationId: string,
    request: PageRequest,
    selection: MeteringPointSelection = {},
  ): Promise<Page<MeteringPoint>> {
    const { customerReference, tariffReference, meterDevice } = selection;
    const ids = meterDevice == null ? undefined : await this.everOf(organizationId, meterDevice);
    return this.pageWhere(organizationId, request, {
      ...nameMatches(selection),
      ...(customerReference != null && { customerReference }),
      ...(tariffReference != null && { tariffReference }),
      ...(ids && { id: { $in: ids } }),
    });
  }

  create(organizationId: string, input: CreateMeteringPoint): Promise<MeteringPoint> {
    const fields = parseInput(PointFields, input);
    return this.change(fields.name, async (em) =>
      em.create(MeteringPoint, { ...fields, organization: organizationId, version: 1 }),
    );
  }

  async update(organizationId: string, { id, ...changes }: UpdateMeteringPoint): Promise<MeteringPoint> {
    const { expectedVersion } = parseInput(ExpectedVersion, changes);
    const updated = await this.change(changes.name, async (em) => {
      const point = await this.locked(em, organizationId, id);
      if (expectedVersion != null && expectedVersion !== point.version) {
        throw new InputError(
          'CONFLICT',
          `MeteringPoint ${JSON.stringify(point.name)} has changed: it is at version ${point.version}, not ${expectedVersion}. Read it again and retry.`,
          'input.expectedVersion',
        );
      }
      return em.assign(point, { ...parseInput(PointFields, merged(point, changes)), updatedAt: new Date() });
    });
    await announceRowChanges(this.broker, organizationId, await this.metersAt(updated.id));
    return updated;
  }

  /** Refused while it has installations: they say whose the readings are. */
  delete(organizationId: string, id: string): Promise<{ id: string }> {
    return this.remove(organizationId, id, async (em) => {
      const sql = 'select count(*) as count from installation where metering_point_id = ?';
      const installations = await countRows(em, sql, [id]);
      if (installations === 0) return undefined;
      return `has ${installations} ${installations === 1 ? 'installation, which says' : 'installations, which say'} whose the readings are. Delete ${installations === 1 ? 'it' : 'them'} first if they are wrong, else keep the point.`;
    });
  }

  /** Points where the meter is or was. */
  private async everOf(organizationId: string, meterDevice: string): Promise<string[]> {
    const { rows } = await this.database.pool.query<{ id: string }>(
      'select distinct metering_point_id as id from installation where meter_device_id = $1 and organization_id = $2',
      [isUuid(meterDevice) ? meterDevice : null, organizationId],
    );
    return rows.map(({ id }) => id);
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
