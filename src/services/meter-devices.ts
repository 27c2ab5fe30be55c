import { isDeepStrictEqual } from 'node:util';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { AmrTask, AmrTaskGroup, MeterDevice, NetworkInterface } from '../../entities/index.js';
import { seal } from '../credentials.js';
import type { Database } from '../db/database.js';
import type { MeterLifeCycle } from '../domain/enums.js';
import type { MeterDeviceOrderField } from '../domain/orderings.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { merged, parseInput } from './input.js';
import { MeterFields, MeterLinks, type CreateMeterDevice, type UpdateMeterDevice } from './meter-input.js';
import type { NameSelection } from './name-filter.js';
import { requireBoundedPages } from './nested-pages.js';
import type { OrderBy, Orderings } from './ordering.js';
import { Page, positionOf, type PageRequest } from './page.js';
import { announceRowChanges } from './row-changes.js';
import { countRows, requireAll, requireOne, TenantService, type Deletion } from './tenant-service.js';
import { use } from './uses.js';

export interface MeterDeviceSelection extends NameSelection {
  ids?: string[] | null;
  serialNumber?: string | null;
  serialNumbers?: string[] | null;
  externalReference?: string | null;
  externalReferences?: string[] | null;
  manufacturer?: string | null;
  model?: string | null;
  taskGroup?: string | null;
  taskGroups?: string[] | null;
  amrTask?: string | null;
  lifeCycle?: MeterLifeCycle | null;
  lifeCycles?: readonly MeterLifeCycle[] | null;
  networkInterface?: string | null;
  hasNetworkInterface?: boolean | null;
  segment?: string | null;
  meteringPoint?: string | null;
  isInstalled?: boolean | null;
  hasCredentials?: boolean | null;
  credentialsRejected?: boolean | null;
  hasReadingsSince?: Date | null;
  hasNoReadingsSince?: Date | null;
  updatedSince?: Date | null;
}

const ORDERINGS: Orderings<MeterDeviceOrderField> = {
  CREATED_AT: 'id',
  UPDATED_AT: { column: 'updated_at', type: 'timestamptz' },
  NAME: { column: 'name', type: 'text' },
  SERIAL_NUMBER: { column: 'serial_number', type: 'text', nullable: true },
  EXTERNAL_REFERENCE: { column: 'external_reference', type: 'text', nullable: true },
};

const INSTALLED = `i.installed_at <= now() and (i.removed_at is null or i.removed_at > now())`;
/** For each meter a look into the key of the readings of each of its registers. */
const readingsSince = (instant: string) => `exists (
  select from register r where r.meter_device_id = t.id
    and exists (select from meter_reading m where m.register_id = r.id and m.measured_at >= ${instant}::timestamptz))`;

/** Meters called alike that are told of; ingesters look at others again by themselves. */
const MOST_NAMESAKES = 1_000;

/** What ingesters keep of a meter. */
function ingestedFields(meter: MeterDevice) {
  const { name, serialNumber, currentTransformerRatio, voltageTransformerRatio } = meter;
  return { name, serialNumber, currentTransformerRatio, voltageTransformerRatio };
}
type IngestedFields = ReturnType<typeof ingestedFields>;

/** The meters. */
export class MeterDeviceService extends TenantService<MeterDevice> {
  constructor(
    database: Database,
    private readonly broker: Pick<Broker, 'broadcast'>,
    private readonly credentialsPublicKey: string | undefined,
  ) {
    super(database, MeterDevice, 'MeterDevice', ORDERINGS);
  }

  page(
    organizationId: string,
    request: PageRequest,
    selection: MeterDeviceSelection = {},
    orderBy?: OrderBy<MeterDeviceOrderField> | null,
  ): Promise<Page<MeterDevice>> {
    const { taskGroup, taskGroups, amrTask, segment, meteringPoint } = selection;
    const inGroups = 't.id in (select meter_device_id from meter_device_task_groups where amr_task_group_id';
    return this.list({
      organizationId,
      request,
      orderBy,
      where: (conditions) =>
        conditions
          .ids('t.id', selection.ids)
          .name('t', selection)
          .equals('t.serial_number', selection.serialNumber)
          .oneOf('t.serial_number', selection.serialNumbers)
          .equals('t.external_reference', selection.externalReference)
          .oneOf('t.external_reference', selection.externalReferences)
          .equals('t.manufacturer', selection.manufacturer)
          .equals('t.model', selection.model)
          .equals('t.life_cycle', selection.lifeCycle)
          .oneOf('t.life_cycle', selection.lifeCycles)
          .id('t.network_interface_id', selection.networkInterface)
          .whether(selection.hasNetworkInterface, 't.network_interface_id is not null')
          .whether(selection.hasCredentials, 't.credentials is not null')
          .whether(selection.credentialsRejected, 't.credentials_rejected_at is not null')
          .related(taskGroup, (id) => `${inGroups} = ${id})`)
          .given(taskGroups?.filter(isUuid), (ids) => `${inGroups} = any(${ids}::uuid[]))`)
          .related(
            amrTask,
            (id) => `t.id in (
              select meter_device_id from meter_device_meter_tasks where amr_task_id = ${id}
              union all
              select of_group.meter_device_id from amr_task_group_tasks in_group
              join meter_device_task_groups of_group using (amr_task_group_id) where in_group.amr_task_id = ${id})`,
          )
          .related(
            segment,
            (id) => `t.network_interface_id in (select id from network_interface where segment_id = ${id})`,
          )
          .related(
            meteringPoint,
            (id) =>
              `t.id in (select i.meter_device_id from installation i where i.metering_point_id = ${id} and ${INSTALLED})`,
          )
          .whether(
            selection.isInstalled,
            `exists (select from installation i where i.meter_device_id = t.id and ${INSTALLED})`,
          )
          .given(selection.hasReadingsSince, readingsSince)
          .given(selection.hasNoReadingsSince, (instant) => `not ${readingsSince(instant)}`)
          .between('t.updated_at', selection.updatedSince, null),
    });
  }

  async create(organizationId: string, input: CreateMeterDevice): Promise<MeterDevice> {
    const fields = parseInput(MeterFields, input);
    const links = parseInput(MeterLinks, input);
    const created = await this.insert(organizationId, fields.name, async (em) => {
      const meter = new MeterDevice();
      em.assign(meter, { ...fields, organization: organizationId }, { em });
      await this.link(em, organizationId, meter, links);
      return meter;
    });
    await this.announce(organizationId, created);
    return created;
  }

  async update(organizationId: string, { id, expectedVersion, ...changes }: UpdateMeterDevice): Promise<MeterDevice> {
    const links = parseInput(MeterLinks, changes);
    let before: IngestedFields | undefined;
    const updated = await this.edit(
      organizationId,
      { id, expectedVersion, name: changes.name },
      async (em, meter) => {
        const fields = parseInput(MeterFields, merged(meter, changes));
        await this.link(em, organizationId, meter, links);
        before = ingestedFields(meter);
        em.assign(meter, fields);
      },
      [...(links.taskGroups ? (['taskGroups'] as const) : []), ...(links.meterTasks ? (['meterTasks'] as const) : [])],
    );
    if (!isDeepStrictEqual(before, ingestedFields(updated))) await this.announce(organizationId, updated, before);
    else await announceRowChanges(this.broker, organizationId, [updated.id]); // API processes keep all of it
    return updated;
  }

  /** Lets the meter be polled again with the credentials it refused. Changes nothing where none were refused. */
  async clearCredentialsRejection(organizationId: string, id: string): Promise<MeterDevice> {
    const [meter] = await this.byIds(organizationId, [id]);
    if (meter?.credentialsRejectedAt === null) return meter;
    const cleared = await this.edit(organizationId, { id }, async (em, meter) =>
      em.assign(meter, { credentialsRejectedAt: null }),
    );
    await announceRowChanges(this.broker, organizationId, [cleared.id]);
    return cleared;
  }

  /**
   * Refused once it has readings, also by force: retire it instead. By force one without readings goes with its
   * installations and the record of its runs.
   */
  async delete(organizationId: string, deletion: Deletion): Promise<{ id: string }> {
    const deleted = await this.remove(organizationId, deletion, {
      uses: async (em, { id }) => {
        const count = (what: string) => countRows(em, `select count(*) as count from ${what}`, [id]);
        const cure = 'Set its lifeCycle to RETIRED instead: it is then never polled again.';
        const registers = await count('register where meter_device_id = ?');
        if (registers > 0)
          return { never: `has readings of ${registers} series, which would be lost. ${cure}`, links: [] };
        const underWay = await count(
          `task_run where meter_device_id = ? and (reading_count > 0 or state in ('dispatched', 'running'))`,
        );
        const sessions = await count('poll_session where meter_device_id = ? and closed_at is null');
        if (underWay + sessions > 0) {
          return {
            never: `is being read, or was: its readings may be under way and would be lost. ${cure}`,
            links: [],
          };
        }
        return {
          links: [
            ...use(await count('task_run where meter_device_id = ?'), ['run', 'runs'], 'whose record would be lost'),
            ...use(
              await count('installation where meter_device_id = ?'),
              ['installation', 'installations'],
              'which say where it was',
            ),
            ...use(
              await count('poll_session where meter_device_id = ?'),
              ['session', 'sessions'],
              'whose record would be lost',
            ),
          ],
          cure: cure.replace(/\.$/, ''),
        };
      },
      unlink: async (em, { id }) => {
        const gone = async (table: string) =>
          (await em.execute<unknown[]>(`delete from ${table} where meter_device_id = ? returning 1`, [id])).length;
        return {
          runsDeleted: await gone('task_run'),
          sessionsDeleted: await gone('poll_session'),
          installationsDeleted: await gone('installation'),
        };
      },
    });
    await announceRowChanges(this.broker, organizationId, [deleted.id]);
    return deleted;
  }

  /** Which of `ids` have credentials. The sealed boxes stay in the database. */
  async withCredentials(ids: readonly string[]): Promise<Set<string>> {
    const { rows } = await this.database.pool.query<{ id: string }>(
      'select id from meter_device where id = any($1::uuid[]) and credentials is not null',
      [ids],
    );
    return new Set(rows.map((row) => row.id));
  }

  /** The same page of the meters of each of many groups, oldest meters first. */
  async pagesOfGroups(
    organizationId: string,
    groupIds: readonly string[],
    request: PageRequest,
    countOf: (groupId: string) => Promise<number>,
  ): Promise<Map<string, Page<MeterDevice>>> {
    const position = positionOf(request);
    requireBoundedPages(groupIds.length, position.size);
    const { rows } = await this.database.pool.query<{ groupId: string; meters: string[] }>(
      `select g.id as "groupId", array(
                select j.meter_device_id::text from meter_device_task_groups j
                 where j.amr_task_group_id = g.id and ($2::uuid is null or j.meter_device_id > $2)
                 order by j.meter_device_id limit $3) as meters
         from unnest($1::uuid[]) as g(id)`,
      [groupIds, position.after ?? null, position.size + 1],
    );
    const meters = await this.byIds(organizationId, [...new Set(rows.flatMap((row) => row.meters))]);
    const byId = new Map(meters.map((meter) => [meter.id, meter]));
    return new Map(
      rows.map((row) => {
        const members = row.meters.flatMap((meterId) => byId.get(meterId) ?? []);
        return [row.groupId, new Page(members, position, () => countOf(row.groupId))];
      }),
    );
  }

  /** How many meters are in each group that has any. */
  async countsOfGroups(groupIds: readonly string[]): Promise<Map<string, number>> {
    const { rows } = await this.database.pool.query<{ id: string; count: number }>(
      `select amr_task_group_id as id, count(*)::int as count from meter_device_task_groups
        where amr_task_group_id = any($1::uuid[]) group by 1`,
      [groupIds],
    );
    return new Map(rows.map(({ id, count }) => [id, count]));
  }

  /**
   * Tells the ingesters, and with the meter itself those that were or are called alike: a serial number that a second meter gets
   * names neither any more.
   */
  private async announce(organizationId: string, meter: MeterDevice, before?: IngestedFields): Promise<void> {
    const names = [meter.name, meter.serialNumber, before?.name, before?.serialNumber].filter((text) => text != null);
    const { rows } = await this.database.pool.query<{ id: string }>(
      `select id from meter_device where organization_id = $1 and name = any($2::text[])
       union select id from meter_device where organization_id = $1 and serial_number = any($2::text[])
       limit ${MOST_NAMESAKES}`,
      [organizationId, names],
    );
    const ids = new Set([meter.id, ...rows.map(({ id }) => id)]);
    await announceRowChanges(this.broker, organizationId, [...ids]);
  }

  private async link(
    em: SqlEntityManager,
    organizationId: string,
    meter: MeterDevice,
    links: MeterLinks,
  ): Promise<void> {
    const { networkInterface, taskGroups, meterTasks, credentials } = links;
    if (networkInterface !== undefined) {
      meter.networkInterface = await requireOne(
        em,
        NetworkInterface,
        'NetworkInterface',
        organizationId,
        networkInterface,
        'input.networkInterface',
      );
    }
    if (taskGroups) {
      const groups = await requireAll(em, AmrTaskGroup, 'AmrTaskGroup', organizationId, taskGroups, 'input.taskGroups');
      meter.taskGroups.set(groups);
    }
    if (meterTasks) {
      const tasks = await requireAll(em, AmrTask, 'AmrTask', organizationId, meterTasks, 'input.meterTasks');
      meter.meterTasks.set(tasks);
    }
    if (credentials !== undefined) {
      meter.credentials = credentials && this.seal(meter.id, credentials);
      meter.credentialsRejectedAt = null;
    }
  }

  private seal(meterId: string, credentials: Record<string, string>): Buffer {
    if (this.credentialsPublicKey === undefined) {
      throw new InputError(
        'BAD_USER_INPUT',
        'input.credentials cannot be stored: this server has no key to seal them with. ' +
          'Make a pair with `amr keys create` and set AMR_CREDENTIALS_PUBLIC_KEY, or leave the credentials out.',
        'input.credentials',
      );
    }
    return seal(this.credentialsPublicKey, meterId, credentials);
  }
}
