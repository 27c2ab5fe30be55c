import type pg from 'pg';
import { ReadingPartitions } from '../../db/reading-partitions.js';
import type { PromotedReading } from '../staged-promotion.js';
import { RegisterDirectory } from './directory.js';
import { logBatch } from './dispatch.js';
import { enrichReadings, type Enriched } from './enrich.js';
import { storeBatch } from './store.js';
import type { ValidReading } from './validate.js';

const NONE = '00000000-0000-0000-0000-000000000000';

/**
 * How readings that leave the stage are stored: as ingesters store those that arrive. For `promoteStaged`.
 * It keeps rows of meters and series unless it is given a directory that hears of changes.
 */
export function storeOfStaged(
  pool: pg.Pool,
  directory: Pick<RegisterDirectory, 'resolve'> = new RegisterDirectory(pool),
) {
  const partitions = new ReadingPartitions(pool);
  return {
    enrich: async (promoted: PromotedReading[]): Promise<Enriched> => {
      const readings = promoted.map(validReading);
      const enriched = enrichReadings(readings, await directory.resolve(readings));
      const lost = enriched.unknown.length;
      if (lost > 0) throw new Error(`${lost} staged readings lost their meter meanwhile`);
      await partitions.require(enriched.known);
      return enriched;
    },
    write: async (client: pg.PoolClient, enriched: Enriched): Promise<void> => {
      const receivedAt = new Date();
      // How long they waited for their meter says nothing about the pipeline.
      const settings = { expectNew: false, receivedAt, latencyObjectiveMs: () => 0 };
      const { verdicts } = await storeBatch(client, enriched, settings);
      await logBatch(client, enriched.known, verdicts, receivedAt);
    },
  };
}

function validReading(reading: PromotedReading): ValidReading {
  const { organization, meter, origin, receivedAt, collectedAt, messageId, publication, publishedAt } = reading;
  return {
    envelope: {
      organization,
      meter,
      origin,
      run: undefined,
      collectedAt: collectedAt ?? receivedAt,
      messageId: messageId ?? NONE,
      publication,
      publishedAt: publishedAt ?? receivedAt,
      isTimed: false,
      redrive: undefined,
      isSuspect: false,
      revoked: undefined,
    },
    series: reading.series,
    measuredAt: reading.measuredAt,
    value: reading.value,
    unit: reading.unit,
    quality: reading.quality,
  };
}
