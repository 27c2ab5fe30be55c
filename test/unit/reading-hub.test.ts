import fc from 'fast-check';
import type pg from 'pg';
import { describe, expect, it } from 'vitest';
import { encodeCursor, type Place } from '../../src/domain/cursor.js';
import { GroupMembers } from '../../src/graphql/group-members.js';
import type { Connection, Outlet } from '../../src/graphql/outlet.js';
import { ReadingFilter } from '../../src/graphql/reading-filter.js';
import { ReadingHub } from '../../src/graphql/reading-hub.js';
import { liveReadings, readingsOfColumns, type LiveReading } from '../../src/graphql/reading-stream.js';
import type { ReadingTail } from '../../src/graphql/reading-tail.js';
import { RecentBatches, type LoggedBatch } from '../../src/graphql/recent-batches.js';
import { silentLog } from '../support/broker.js';
import { batchOf } from '../support/committed-readings.js';

const METERS = [
  '01a2000a-66fe-7323-ac97-60bfda18f931',
  '01a2000a-66fe-7323-ac97-60bfda18f932',
  '01a2000a-66fe-7323-ac97-60bfda18f933',
];
const GROUP = '01a2000a-66fe-7323-ac97-60bfda18f93a';
const SERIES = ['2:300', '2:301'];

/** A log of batches, of which the process keeps the last few; `append` commits another one. */
function world(batches: readonly LoggedBatch[]) {
  const stored: LoggedBatch[] = [];
  const recent = new RecentBatches(0, { batches: 3, bytes: 1_000_000 });
  let grown: () => void = () => undefined;
  const tail = { recent, onGrown: (listener: () => void) => (grown = listener) } as unknown as ReadingTail;
  const query = async (sql: string, [first]: [number | string[]]) => {
    await new Promise(setImmediate);
    if (sql.includes('meter_device_task_groups')) return { rows: [{ group: GROUP, meters: METERS.slice(0, 2) }] };
    if (sql.includes('from meter_device') || sql.includes('from amr_task_group'))
      return { rows: [...METERS, GROUP].map((id) => ({ id })) };
    const rows = stored.filter(({ position }) => position >= Number(first)).slice(0, 4);
    return {
      rows: rows.map(({ position, organization, batch }) => ({
        position: String(position),
        organization_id: organization,
        body: JSON.stringify(batch),
      })),
    };
  };
  const pool = { query } as unknown as pg.Pool;
  const members = new GroupMembers(pool, silentLog);
  const hub = new ReadingHub({ tail, members, pool, log: silentLog });
  const append = () => {
    const entry = batches[stored.length]!;
    stored.push(entry);
    recent.append(entry);
    grown();
  };
  return { hub, pool, members, append };
}

/** Takes `room` events, then none until it is drained. */
class FakeConnection implements Connection {
  #taken = 0;
  #waiting: (() => void)[] = [];
  constructor(private readonly room: number) {}
  get full(): boolean {
    return this.#taken >= this.room;
  }
  take(): void {
    this.#taken++;
  }
  drained(): Promise<void> {
    return this.full ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve();
  }
  drain(): void {
    this.#taken = 0;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

const filter = fc.record({
  meterDevices: fc.option(fc.subarray(METERS)),
  taskGroups: fc.option(fc.constant([GROUP])),
  series: fc.option(fc.subarray(SERIES)),
});
const batches = fc
  .array(
    fc.array(
      fc.record({
        meter: fc.constantFrom(...METERS),
        series: fc.constantFrom(...SERIES),
        count: fc.integer({ min: 1, max: 3 }),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((all) =>
    all.map((columns, index): LoggedBatch => ({
      position: index + 1,
      organization: 'o',
      bytes: 1,
      batch: batchOf(...columns),
    })),
  );
const steps = fc.array(fc.constantFrom('append', 'drain', 'turn'), { maxLength: 40 });

describe('subscribers of readings', () => {
  it('each get what matches, in order and once, however slowly they read', async () => {
    await fc.assert(
      fc.asyncProperty(
        batches,
        fc.array(fc.record({ filter, connection: fc.nat(1), from: fc.integer({ min: 1, max: 3 }) }), {
          minLength: 1,
          maxLength: 5,
        }),
        fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 100 })),
        steps,
        async (log, wanted, rooms, order) => {
          const { hub, pool, members, append } = world(log);
          const connections = rooms.map((room) => new FakeConnection(room));
          const ends: (() => void)[] = [];
          const results: { seen: string[]; expected: string[] }[] = [];
          for (const { filter: input, connection, from } of wanted) {
            const own = await ReadingFilter.create(pool, members, 'o', input);
            const seen: string[] = [];
            const outlet: Outlet<LiveReading> = {
              connection: connections[connection]!,
              send: (reading: LiveReading, after: Place) => {
                connections[connection]!.take();
                expect(encodeCursor(after)).toBe(reading.cursor);
                seen.push(reading.cursor);
              },
            };
            ends.push(
              hub.serve(own, { position: from, taken: 0 }, liveReadings, outlet, (error) =>
                expect(error).toBeUndefined(),
              ),
            );
            const expected = log.flatMap((entry) =>
              entry.position < from
                ? []
                : [...readingsOfColumns(entry, new Set(entry.batch.columns.keys())).values()]
                    .filter((_readings, column) => own.matches(entry.batch.columns[column]!))
                    .flat()
                    .map(({ cursor }) => cursor),
            );
            results.push({ seen, expected });
          }
          let appended = 0;
          for (const step of order) {
            if (step === 'append' && appended < log.length) {
              append();
              appended++;
            } else if (step === 'drain') connections.forEach((connection) => connection.drain());
            else await new Promise(setImmediate);
          }
          while (appended++ < log.length) append();
          for (
            let turn = 0;
            turn < 2_000 && results.some(({ seen, expected }) => seen.length < expected.length);
            turn++
          ) {
            connections.forEach((connection) => connection.drain());
            await new Promise(setImmediate);
          }
          await new Promise(setImmediate);
          for (const { seen, expected } of results) expect(seen).toEqual(expected);
          for (const end of ends) end();
          connections.forEach((connection) => connection.drain());
        },
      ),
      { numRuns: 100, interruptAfterTimeLimit: 20_000 },
    );
  }, 60_000);
});
