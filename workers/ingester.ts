import { whileLeading } from '../src/db/leader.js';
import type { Worker, WorkerContext } from '../src/lifecycle.js';
import { createDeadLetterHandler } from '../src/services/dead-letters.js';
import { Ingester } from '../src/services/ingest/ingester.js';
import { relayWhileLeading } from '../src/services/relay.js';
import { upkeepWhileLeading } from '../src/services/upkeep.js';
import { useBroker, useDatabase, type Resources } from '../src/resources.js';

/** Two batches of one-reading messages in hand: one being written, one being filled. */
const BATCHES_IN_HAND = 2;
const MAX_PREFETCH = 4_000;
/** A batch takes well below a second; one that takes this long is held up. */
const STALLED_MS = 30_000;

/** `amr ingester`: stores readings once and relays what is committed. Any number may run; one leads relay and upkeep. */
export const ingester: Worker = async (context) => {
  const broker = await useBroker(context);
  return startIngester(context, { broker, database: await useDatabase(context, 'ingester') });
};

export async function startIngester(
  { config, log, onStop, ready }: WorkerContext,
  { broker, database }: Resources,
): Promise<string> {
  const { pool, url } = database;
  onStop(whileLeading(url, 'relay', log, (leadership) => relayWhileLeading(pool, broker, leadership)));
  onStop(whileLeading(url, 'upkeep', log, (leadership) => upkeepWhileLeading(pool, log, leadership)));

  const stopping = new AbortController();
  const dead = await broker.consume(
    'readings.new.dead',
    createDeadLetterHandler(pool, 'readings.new.dead', log, stopping.signal),
    { prefetch: 10 },
  );
  onStop(() => dead.drain());

  const ingest = new Ingester(pool, broker, config, log);
  const readings = await broker.consume('readings.new', ingest.handle, {
    prefetch: Math.min(MAX_PREFETCH, config.ingestBatch * BATCHES_IN_HAND),
  });
  onStop(async () => {
    stopping.abort();
    // Cancelled first: each acknowledgement would fetch more.
    const drained = readings.drain();
    await ingest.stop();
    await drained;
  });
  ready('ingest', async () =>
    ingest.writingForMs > STALLED_MS
      ? `a batch has waited ${Math.round(ingest.writingForMs / 1000)} s for the database`
      : undefined,
  );
  return `on ${broker.description}`;
}
