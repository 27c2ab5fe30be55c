import { isDeepStrictEqual } from 'node:util';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { AmrTask, AmrTaskGroup, MeterDevice, NetworkInterface } from '../../entities/index.js';
import { seal } from '../credentials.js';
import type { Database } from '../db/database.js';
import type { MeterLifeCycle } from '../domain/enums.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { merged, parseInput } from './input.js';
import { MeterFields, MeterLinks, type CreateMeterDevice, type UpdateMeterDevice } from './meter-input.js';
import { nameMatches, type NameSelection } from './name-filter.js';
import { Page, positionOf, type PageRequest } from './page.js';
import { announceRowChanges } from './row-changes.js';
import { countRows, requireAll, requireOne, TenantService } from './tenant-service.js';

export interface MeterDeviceSelection extends NameSelection {
  ids?: string[] | null;
  serialNumber?: string | null;
  externalReference?: string | null;
  taskGroup?: string | null;
  lifeCycle?: MeterLifeCycle | null;
  credentialsRejected?: boolean | null;
}

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
    super(database, MeterDevice, 'MeterDevice');
  }

  page(organizationId: string, request: PageRequest, selection: MeterDeviceSelection = {}): Promise<Page<MeterDevice>> {
    const { ids, serialNumber, externalReference, taskGroup, lifeCycle, credentialsRejected } = selection;
    return this.pageWhere(organizationId, request, {
      ...nameMatches(selection),
      ...(ids != null && { id: { $in: ids.filter(isUuid) } }),
      ...(serialNumber != null && { serialNumber }),
      ...(externalReference != null && { externalReference }),
      ...(taskGroup != null && { taskGroups: isUuid(taskGroup) ? taskGroup : { $in: [] } }),
      ...(lifeCycle != null && { lifeCycle }),
      ...(credentialsRejected != null && { credentialsRejectedAt: credentialsRejected ? { $ne: null } : null }),
    });
  }

  async create(organizationId: string, input: CreateMeterDevice): Promise<MeterDevice> {
    const fields = parseInput(MeterFields, input);
    const links = parseInput(MeterLinks, input);
    const created = await this.change(fields.name, async (em) => {
      const meter = new MeterDevice();
      em.assign(meter, { ...fields, organization: organizationId }, { em });
      await this.link(em, organizationId, meter, links);
      em.persist(meter);
      return meter;
    });
    await this.announce(organizationId, created);
    return created;
  }

  async update(organizationId: string, { id, ...changes }: UpdateMeterDevice): Promise<MeterDevice> {
    const { expectedVersion, ...links } = parseInput(MeterLinks, changes);
    let before: IngestedFields | undefined;
    const updated = await this.change(changes.name, async (em) => {
      const meter = await this.locked(em, organizationId, id);
      if (expectedVersion != null && expectedVersion !== meter.version) {
        throw new InputError(
          'CONFLICT',
          `MeterDevice ${JSON.stringify(meter.name)} has changed: it is at version ${meter.version}, not ${expectedVersion}. Read it again and retry.`,
          'input.expectedVersion',
        );
      }
      const fields = parseInput(MeterFields, merged(meter, changes));
      await this.link(em, organizationId, meter, links);
      before = ingestedFields(meter);
      // Touched in any case, so that a change of its groups or tasks alone is a new version as well.
      return em.assign(meter, { ...fields, updatedAt: new Date() });
    });
    if (!isDeepStrictEqual(before, ingestedFields(updated))) await this.announce(organizationId, updated, before);
    return updated;
  }

  /** Lets the meter be polled again with the credentials it refused. Changes nothing where none were refused. */
  clearCredentialsRejection(organizationId: string, id: string): Promise<MeterDevice> {
    return this.change(undefined, async (em) => {
      const meter = await this.locked(em, organizationId, id);
      return meter.credentialsRejectedAt === null
        ? meter
        : em.assign(meter, { credentialsRejectedAt: null, updatedAt: new Date() });
    });
  }

  /** Refused once it has readings or runs: retire it instead. */
  async delete(organizationId: string, id: string): Promise<{ id: string }> {
    const deleted = await this.remove(organizationId, id, async (em) => {
      const registers = await countRows(em, 'select count(*) as count from register where meter_device_id = ?', [id]);
      const cure = 'Set its lifeCycle to RETIRED instead: it is then never polled again.';
      if (registers > 0) return `has readings of ${registers} series, which would be lost. ${cure}`;
      const runs = await countRows(em, 'select count(*) as count from task_run where meter_device_id = ?', [id]);
      if (runs > 0) return `has ${runs} ${runs === 1 ? 'run' : 'runs'} on record. ${cure}`;
      const stays = await countRows(em, 'select count(*) as count from installation where meter_device_id = ?', [id]);
      if (stays > 0)
        return `has ${stays} ${stays === 1 ? 'installation' : 'installations'}. Delete ${stays === 1 ? 'it' : 'them'} first if the meter was never there, else set its lifeCycle to RETIRED.`;
      return undefined;
    });
    await announceRowChanges(this.broker, organizationId, [id]);
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
      if (!meter.taskGroups.isInitialized()) await meter.taskGroups.init();
      meter.taskGroups.set(groups);
    }
    if (meterTasks) {
      const tasks = await requireAll(em, AmrTask, 'AmrTask', organizationId, meterTasks, 'input.meterTasks');
      if (!meter.meterTasks.isInitialized()) await meter.meterTasks.init();
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
