import { LockMode } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { z } from 'zod';
import { Installation } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import { canonicalDecimal, isDecimal } from '../domain/decimal.js';
import { overlap, type InstallationPeriod } from '../domain/installation-period.js';
import { isUuid } from '../domain/uuid.js';
import { recordAuditIn } from './audit.js';
import { auditedFields, changedFields, type Fields } from './audited-fields.js';
import { InputError } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { merged, notFound, parseInput, requireUuid } from './input.js';
import { Page, positionOf, type PageRequest } from './page.js';
import { announceRowChanges } from './row-changes.js';
import { requireBoundedPages } from './nested-pages.js';
import { requireVersion } from './version.js';

const instantRule = 'must be an instant from 1900 to 2199';
const instant = z
  .date({ error: instantRule })
  .min(new Date('1900-01-01T00:00:00Z'), { error: instantRule })
  .max(new Date('2199-12-31T23:59:59Z'), { error: instantRule });
const indexRule = 'must be a decimal of up to 38 digits, such as "9000.125"';
const index = z
  .string({ error: indexRule })
  .refine(isDecimal, { error: indexRule })
  .transform(canonicalDecimal)
  .nullable()
  .default(null);
const InstallationFields = z
  .object({ installedAt: instant, removedAt: instant.nullable().default(null), startIndex: index, endIndex: index })
  .refine(({ installedAt, removedAt }) => removedAt === null || removedAt > installedAt, {
    path: ['removedAt'],
    error: 'must be after installedAt',
  })
  .refine(({ removedAt, endIndex }) => removedAt !== null || endIndex === null, {
    path: ['endIndex'],
    error: 'needs removedAt: the meter is still there',
  });
export interface InstallMeter {
  meteringPoint: string;
  meterDevice: string;
  installedAt: Date;
  startIndex?: string | null;
}
export interface RemoveMeter {
  installation: string;
  removedAt: Date;
  endIndex?: string | null;
  expectedVersion?: number | null;
}
export interface UpdateInstallation {
  id: string;
  installedAt?: Date;
  removedAt?: Date | null;
  startIndex?: string | null;
  endIndex?: string | null;
  expectedVersion?: number | null;
}

/** What an installation joins; a page of them belongs to one of these. */
export type InstallationParent = 'meterDevice' | 'meteringPoint';
const COLUMNS = { meterDevice: 'meter_device_id', meteringPoint: 'metering_point_id' } as const;
/** Meters at one point at a time that are listed. */
const MOST_CURRENT = 100;

/**
 * Which meter was where. A meter is at one place at a time; a place may have several meters. Whoever changes an installation
 * holds its meter and then its point, so that two changes that exclude each other cannot both be made.
 */
export class InstallationService {
  constructor(
    private readonly database: Database,
    private readonly broker: Pick<Broker, 'broadcast'>,
  ) {}

  /** The installations that exist, in no particular order. */
  byIds(organizationId: string, ids: readonly string[]): Promise<Installation[]> {
    return this.fork().find(Installation, { id: { $in: ids.filter(isUuid) }, organization: organizationId });
  }

  install(organizationId: string, input: InstallMeter): Promise<Installation> {
    const fields = parseInput(InstallationFields, { installedAt: input.installedAt, startIndex: input.startIndex });
    return this.change(organizationId, async (em) => {
      const { meterDevice, meteringPoint } = input;
      await this.lock(em, 'MeterDevice', organizationId, meterDevice, 'input.meterDevice');
      await this.lock(em, 'MeteringPoint', organizationId, meteringPoint, 'input.meteringPoint');
      await this.requireNoOther(em, meterDevice, fields, 'input.installedAt');
      const installation = em.create(Installation, {
        ...fields,
        organization: organizationId,
        meterDevice,
        meteringPoint,
      });
      await em.persist(installation).flush();
      await this.audit(em, organizationId, 'installMeter', installation.id, { after: this.fieldsOf(installation) });
      return installation;
    });
  }

  /** Ends a stay that is open; another date for one that has ended is an update. */
  remove(organizationId: string, { installation: id, expectedVersion, ...end }: RemoveMeter): Promise<Installation> {
    return this.change(organizationId, async (em) => {
      const installation = await this.locked(em, organizationId, id, 'input.installation', expectedVersion);
      if (installation.removedAt !== null) {
        throw new InputError(
          'CONFLICT',
          `The meter was removed at ${installation.removedAt.toISOString()}. Correct it with updateInstallation.`,
          'input.installation',
        );
      }
      return this.assign(em, organizationId, 'removeMeter', installation, end);
    });
  }

  update(organizationId: string, { id, expectedVersion, ...changes }: UpdateInstallation): Promise<Installation> {
    return this.change(organizationId, async (em) => {
      const installation = await this.locked(em, organizationId, id, 'input.id', expectedVersion);
      return this.assign(em, organizationId, 'updateInstallation', installation, changes);
    });
  }

  /** For one that is wrong: the readings of its time are then of no place. */
  async delete(
    organizationId: string,
    { id, expectedVersion }: { id: string; expectedVersion?: number | null },
  ): Promise<{ id: string }> {
    const { id: deleted } = await this.change(organizationId, async (em) => {
      const installation = await this.locked(em, organizationId, id, 'input.id', expectedVersion);
      await em.nativeDelete(Installation, { id: installation.id });
      await this.audit(em, organizationId, 'deleteInstallation', id, { before: this.fieldsOf(installation) });
      return installation;
    });
    return { id: deleted };
  }

  /** The same page of the installations of each parent, in the order they were entered. */
  async pagesOf(
    parent: InstallationParent,
    organizationId: string,
    parents: readonly string[],
    request: PageRequest,
    countOf: (parentId: string) => Promise<number>,
  ): Promise<Map<string, Page<Installation>>> {
    const position = positionOf(request);
    requireBoundedPages(parents.length, position.size);
    const { rows } = await this.database.pool.query<{ parent: string; ids: string[] }>(
      `select p.id as parent, array(
         select i.id::text from installation i
         where i.${COLUMNS[parent]} = p.id and ($2::uuid is null or i.id > $2) order by i.id limit $3) as ids
       from unnest($1::uuid[]) as p (id)`,
      [parents, position.after ?? null, position.size + 1],
    );
    const found = await this.byIds(
      organizationId,
      rows.flatMap(({ ids }) => ids),
    );
    const byId = new Map(found.map((row) => [row.id, row]));
    return new Map(
      rows.map(({ parent: id, ids }) => [
        id,
        new Page(
          ids.flatMap((each) => byId.get(each) ?? []),
          position,
          () => countOf(id),
        ),
      ]),
    );
  }

  /** How many installations each parent has, where it has any. */
  async countsOf(parent: InstallationParent, parents: readonly string[]): Promise<Map<string, number>> {
    const { rows } = await this.database.pool.query<{ id: string; count: number }>(
      `select ${COLUMNS[parent]} as id, count(*)::int as count from installation
       where ${COLUMNS[parent]} = any($1::uuid[]) group by 1`,
      [parents],
    );
    return new Map(rows.map(({ id, count }) => [id, count]));
  }

  /** Who is where now: of points their meters, of meters their point; the newest installation first. */
  async current(parent: InstallationParent, parents: readonly string[]): Promise<Map<string, string[]>> {
    const other = parent === 'meterDevice' ? COLUMNS.meteringPoint : COLUMNS.meterDevice;
    const { rows } = await this.database.pool.query<{ id: string; others: string[] }>(
      `select p.id, array(
         select i.${other}::text from installation i
         where i.${COLUMNS[parent]} = p.id and i.installed_at <= now() and (i.removed_at is null or i.removed_at > now())
         order by i.installed_at desc, i.id desc limit ${MOST_CURRENT}) as others
       from unnest($1::uuid[]) as p (id)`,
      [parents],
    );
    return new Map(rows.map(({ id, others }) => [id, others]));
  }

  private async assign(
    em: SqlEntityManager,
    organizationId: string,
    action: string,
    installation: Installation,
    changes: object,
  ): Promise<Installation> {
    const fields = parseInput(InstallationFields, merged(installation, changes));
    const field = 'removedAt' in changes ? 'input.removedAt' : 'input.installedAt';
    await this.requireNoOther(em, installation.meterDevice.id, fields, field, installation.id);
    const before = this.fieldsOf(installation);
    em.assign(installation, { ...fields, updatedAt: new Date() });
    await em.flush();
    const changed = changedFields(before, this.fieldsOf(installation));
    await this.audit(em, organizationId, action, installation.id, changed);
    return installation;
  }

  /** Of stays that do not overlap, only the last one that begins before the end of this one can overlap it. */
  private async requireNoOther(
    em: SqlEntityManager,
    meterDevice: string,
    period: InstallationPeriod,
    field: string,
    itself?: string,
  ): Promise<void> {
    const [other] = await em.find(
      Installation,
      {
        meterDevice,
        ...(itself !== undefined && { id: { $ne: itself } }),
        ...(period.removedAt && { installedAt: { $lt: period.removedAt } }),
      },
      { orderBy: { installedAt: 'desc' }, limit: 1, populate: ['meteringPoint'] },
    );
    if (!other || !overlap(other, period)) return;
    throw new InputError(
      'CONFLICT',
      `The meter is at one place at a time: installation ${other.id} has it at the metering point ${JSON.stringify(other.meteringPoint.name)} ${describe(other)}. Remove it there first, or correct the dates.`,
      field,
    );
  }

  /** The installation, with its meter and its point, locked until the transaction ends. */
  private async locked(
    em: SqlEntityManager,
    organizationId: string,
    id: string,
    field: string,
    expectedVersion?: number | null,
  ): Promise<Installation> {
    requireUuid('Installation', id, field);
    const where = { id, organization: organizationId };
    const [found] = await this.byIds(organizationId, [id]);
    if (!found) throw notFound('Installation', id, field);
    await this.lock(em, 'MeterDevice', organizationId, found.meterDevice.id, field);
    await this.lock(em, 'MeteringPoint', organizationId, found.meteringPoint.id, field);
    const installation = await em.findOne(Installation, where, { lockMode: LockMode.PESSIMISTIC_WRITE });
    if (!installation) throw notFound('Installation', id, field);
    requireVersion(`Installation ${installation.id}`, installation.version, expectedVersion);
    return installation;
  }

  private audit(
    em: SqlEntityManager,
    organization: string,
    action: string,
    subjectId: string,
    changed: { before?: Fields; after?: Fields },
  ): Promise<void> {
    return recordAuditIn(em, { organization, action, subjectType: 'Installation', subjectId, ...changed });
  }

  private fieldsOf(installation: Installation): Fields {
    return auditedFields(installation, this.database.orm.getMetadata().get(Installation.name));
  }

  private async lock(
    em: SqlEntityManager,
    kind: 'MeterDevice' | 'MeteringPoint',
    organizationId: string,
    id: string,
    field: string,
  ): Promise<void> {
    requireUuid(kind, id, field);
    const table = kind === 'MeterDevice' ? 'meter_device' : 'metering_point';
    const rows = await em.execute<unknown[]>(`select 1 from ${table} where id = ? and organization_id = ? for update`, [
      id,
      organizationId,
    ]);
    if (rows.length === 0) throw notFound(kind, id, field);
  }

  private async change(
    organizationId: string,
    work: (em: SqlEntityManager) => Promise<Installation>,
  ): Promise<Installation> {
    const changed = await this.fork().transactional(work);
    await announceRowChanges(this.broker, organizationId, [changed.meterDevice.id]);
    return changed;
  }

  private fork(): SqlEntityManager {
    return this.database.orm.em.fork();
  }
}

function describe({ installedAt, removedAt }: InstallationPeriod): string {
  return `from ${installedAt.toISOString()} ${removedAt ? `to ${removedAt.toISOString()}` : 'on'}`;
}
