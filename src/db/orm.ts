import 'reflect-metadata';
import { defineConfig, MikroORM, type Options } from '@mikro-orm/postgresql';
import type pg from 'pg';
import { entities } from '../../entities/index.js';
import { makeCancellable } from './query-scope.js';

/** Schema that holds the partitions, so that the main schema lists the tables a person means. */
export const PARTITION_SCHEMA = 'partitions';

/** Tables that set-based SQL alone writes and reads. */
const WRITTEN_BY_SQL = [
  'schema_migration',
  'reading_log_head',
  'register_watermark',
  'ingested_batch',
  'dead_letter_booking',
  'reading_outcome',
  'loss_minute',
  'service_objective',
  'alert',
];

/** One place for the ORM's settings; the schema itself comes from the migrations. */
export function ormOptions(databaseUrl: string): Options {
  return defineConfig({
    clientUrl: databaseUrl,
    entities,
    forceUtcTimezone: true,
    // A partition name or an index expression is ours to manage; the drift test compares the rest.
    schemaGenerator: { ignoreSchema: [PARTITION_SCHEMA], skipTables: WRITTEN_BY_SQL },
    pool: { min: 0, max: 10, afterCreate: prepare },
    discovery: { warnWhenNoEntities: false, checkDuplicateFieldNames: false },
  });
}

/** Of each new connection: its queries end with the work they are part of. */
function prepare(client: unknown, done: unknown): void {
  makeCancellable(client as pg.Client);
  (done as (error: Error | null, client: unknown) => void)(null, client);
}

export function openOrm(databaseUrl: string): Promise<MikroORM> {
  return MikroORM.init(ormOptions(databaseUrl));
}
