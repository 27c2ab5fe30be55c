import { isDeepStrictEqual } from 'node:util';
import { LockMode } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { z } from 'zod';
import { Series } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import { SeriesKind } from '../domain/enums.js';
import type { SeriesOrderField } from '../domain/orderings.js';
import { uuidAt } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { description, enumeration, flag, merged, name, parseInput, positiveDecimal, text } from './input.js';
import { changedFields } from './audited-fields.js';
import type { NameSelection } from './name-filter.js';
import type { OrderBy, Orderings } from './ordering.js';
import type { Page, PageRequest } from './page.js';
import { announceRowChanges } from './row-changes.js';
import { countRows, TenantService, type Deletion } from './tenant-service.js';
import { requireVersion } from './version.js';

const SeriesFields = z.object({
  name,
  unit: text(30).nullable(),
  kind: enumeration(SeriesKind),
  multiplier: positiveDecimal,
  affectedByCurrentTransformer: flag,
  affectedByVoltageTransformer: flag,
  description: description.nullable(),
});
export type UpsertSeries = Partial<z.input<typeof SeriesFields>> & { name: string; expectedVersion?: number | null };

export interface SeriesSelection extends NameSelection {
  ids?: string[] | null;
  kinds?: readonly SeriesKind[] | null;
  unit?: string | null;
  meterDevice?: string | null;
  updatedSince?: Date | null;
}

const ORDERINGS: Orderings<SeriesOrderField> = {
  CREATED_AT: 'id',
  UPDATED_AT: { column: 'updated_at', type: 'timestamptz' },
  NAME: { column: 'name', type: 'text' },
};

/** What ingesters keep of a series. */
function ingestedFields(series: Series): object {
  const { unit, kind, multiplier, affectedByCurrentTransformer, affectedByVoltageTransformer } = series;
  return { unit, kind, multiplier, affectedByCurrentTransformer, affectedByVoltageTransformer };
}

/** What can be measured. */
export class SeriesService extends TenantService<Series> {
  constructor(
    database: Database,
    private readonly broker: Pick<Broker, 'broadcast'>,
  ) {
    super(database, Series, 'Series', ORDERINGS);
  }

  page(
    organizationId: string,
    request: PageRequest,
    selection: SeriesSelection = {},
    orderBy?: OrderBy<SeriesOrderField> | null,
  ): Promise<Page<Series>> {
    const { ids, kinds, unit, meterDevice, updatedSince } = selection;
    return this.list({
      organizationId,
      request,
      orderBy,
      where: (conditions) =>
        conditions
          .ids('t.id', ids)
          .name('t', selection)
          .oneOf('t.kind', kinds)
          .equals('t.unit', unit)
          .related(meterDevice, (id) => `t.id in (select series_id from register where meter_device_id = ${id})`)
          .between('t.updated_at', updatedSince, null),
    });
  }

  /**
   * Creates the series or changes what is given. Ingesters create series as well: whoever is first, there is one. With
   * `expectedVersion` it is only changed: one that does not exist is at version 0.
   */
  async upsert(organizationId: string, { expectedVersion, ...input }: UpsertSeries): Promise<Series> {
    const key = { name: parseInput(name, input.name, 'input.name'), organization: organizationId };
    let ingested: object | undefined;
    const saved = await this.change(undefined, async (em) => {
      const created = await em.execute<unknown[]>(
        'insert into series (id, organization_id, name) values (?, ?, ?) on conflict (organization_id, name) do nothing returning 1',
        [uuidAt(), organizationId, key.name],
      );
      const series = await em.findOneOrFail(Series, key, { lockMode: LockMode.PESSIMISTIC_WRITE });
      const isNew = created.length > 0;
      requireVersion(`Series ${JSON.stringify(key.name)}`, isNew ? 0 : series.version, expectedVersion);
      await refuseOtherUnit(em, series, input.unit);
      ingested = ingestedFields(series);
      const before = isNew ? {} : this.fieldsOf(series);
      em.assign(series, parseInput(SeriesFields, merged(series, input)));
      if (!isNew) series.updatedAt = new Date();
      await em.flush();
      const changed = changedFields(before, this.fieldsOf(series));
      await this.audit(em, organizationId, 'upsert', series.id, isNew ? { after: changed.after } : changed);
      return series;
    });
    if (!isDeepStrictEqual(ingested, ingestedFields(saved))) await announceRowChanges(this.broker, organizationId);
    return saved;
  }

  /** Refused once meters have readings of it, also by force. */
  async delete(organizationId: string, deletion: Deletion): Promise<{ id: string }> {
    const deleted = await this.remove(organizationId, deletion, {
      uses: async (em, { id }) => {
        const registers = await countRows(em, 'select count(*) as count from register where series_id = ?', [id]);
        const meters = `${registers} ${registers === 1 ? 'meter' : 'meters'}`;
        return {
          ...(registers > 0 && { never: `has readings of ${meters}, which would lose their meaning. Keep it.` }),
          links: [],
        };
      },
    });
    await announceRowChanges(this.broker, organizationId);
    return deleted;
  }
}

/** Its readings would be taken for others: they are in the unit it had when they were stored. */
async function refuseOtherUnit(em: SqlEntityManager, series: Series, unit: string | null | undefined): Promise<void> {
  if (unit === undefined || series.unit === null || unit === series.unit) return;
  const registers = await countRows(em, 'select count(*) as count from register where series_id = ?', [series.id]);
  if (registers === 0) return;
  throw new InputError(
    'CONFLICT',
    `Series ${JSON.stringify(series.name)} has readings in ${series.unit}, of ${registers} ${registers === 1 ? 'meter' : 'meters'}. Use another series for another unit.`,
    'input.unit',
  );
}
