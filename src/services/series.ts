import { isDeepStrictEqual } from 'node:util';
import { LockMode } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { z } from 'zod';
import { Series } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import { SeriesKind } from '../domain/enums.js';
import { uuidAt } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { description, enumeration, flag, merged, name, parseInput, positiveDecimal, text } from './input.js';
import type { Page, PageRequest } from './page.js';
import { announceRowChanges } from './row-changes.js';
import { countRows, TenantService } from './tenant-service.js';

const SeriesFields = z.object({
  name,
  unit: text(30).nullable(),
  kind: enumeration(SeriesKind),
  multiplier: positiveDecimal,
  affectedByCurrentTransformer: flag,
  affectedByVoltageTransformer: flag,
  description: description.nullable(),
});
export type UpsertSeries = Partial<z.input<typeof SeriesFields>> & { name: string };

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
    super(database, Series, 'Series');
  }

  page(organizationId: string, request: PageRequest): Promise<Page<Series>> {
    return this.pageWhere(organizationId, request);
  }

  /** Creates the series or changes what is given. Ingesters create series as well: whoever is first, there is one. */
  async upsert(organizationId: string, input: UpsertSeries): Promise<Series> {
    const key = { name: parseInput(name, input.name, 'input.name'), organization: organizationId };
    let before: object | undefined;
    const saved = await this.change(undefined, async (em) => {
      await em.execute(
        'insert into series (id, organization_id, name) values (?, ?, ?) on conflict (organization_id, name) do nothing',
        [uuidAt(), organizationId, key.name],
      );
      const series = await em.findOneOrFail(Series, key, { lockMode: LockMode.PESSIMISTIC_WRITE });
      await refuseOtherUnit(em, series, input.unit);
      before = ingestedFields(series);
      return em.assign(series, parseInput(SeriesFields, merged(series, input)));
    });
    if (!isDeepStrictEqual(before, ingestedFields(saved))) await announceRowChanges(this.broker, organizationId);
    return saved;
  }

  /** Refused once meters have readings of it. */
  async delete(organizationId: string, id: string): Promise<{ id: string }> {
    const deleted = await this.remove(organizationId, id, async (em) => {
      const registers = await countRows(em, 'select count(*) as count from register where series_id = ?', [id]);
      if (registers === 0) return undefined;
      return `has readings of ${registers} ${registers === 1 ? 'meter' : 'meters'}, which would lose their meaning. Keep it.`;
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
