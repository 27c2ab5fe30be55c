import { LockMode } from '@mikro-orm/core';
import { z } from 'zod';
import { Series } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import { SeriesKind } from '../domain/enums.js';
import { uuidAt } from '../domain/uuid.js';
import { description, enumeration, flag, merged, name, parseInput, positiveDecimal, text } from './input.js';
import type { Page, PageRequest } from './page.js';
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

/** What can be measured. */
export class SeriesService extends TenantService<Series> {
  constructor(database: Database) {
    super(database, Series, 'Series');
  }

  page(organizationId: string, request: PageRequest): Promise<Page<Series>> {
    return this.pageWhere(organizationId, request);
  }

  /** Creates the series or changes what is given. Ingesters create series as well: whoever is first, there is one. */
  upsert(organizationId: string, input: UpsertSeries): Promise<Series> {
    const key = { name: parseInput(name, input.name, 'input.name'), organization: organizationId };
    return this.change(undefined, async (em) => {
      await em.execute(
        'insert into series (id, organization_id, name) values (?, ?, ?) on conflict (organization_id, name) do nothing',
        [uuidAt(), organizationId, key.name],
      );
      const series = await em.findOneOrFail(Series, key, { lockMode: LockMode.PESSIMISTIC_WRITE });
      return em.assign(series, parseInput(SeriesFields, merged(series, input)));
    });
  }

  /** Refused once meters have readings of it. */
  delete(organizationId: string, id: string): Promise<{ id: string }> {
    return this.remove(organizationId, id, async (em) => {
      const registers = await countRows(em, 'select count(*) as count from register where series_id = ?', [id]);
      if (registers === 0) return undefined;
      return `has readings of ${registers} ${registers === 1 ? 'meter' : 'meters'}, which would lose their meaning. Keep it.`;
    });
  }
}
