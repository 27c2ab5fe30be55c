import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CallOutcome } from '../../src/execution/execution-context.js';
import { genericLis200 } from '../../src/execution/generic-lis200.js';
import { formatMeterTime } from '../../src/protocols/lis200/meter-time.js';
import { deviceZone } from '../../src/protocols/lis200/zone.js';
import { block, bytes, command, partialBlock, script, ScriptedLink, type Reply } from '../support/scripted-link.js';

const HOUR_MS = 3_600_000;
/** Ahead of the clock's change: rows of the repeated hour of 25 October 2026 are among those written from here on. */
const START = Date.parse('2026-10-24T22:00:00Z');
const ZONE = deviceZone(60, { mode: 'automatic' });
type Kwargs = Record<string, unknown>;
type Resume = Record<string, unknown> | undefined;

/** One row: order numbers, time, value, status and check. The value is the order number: what was read tells the row. */
interface Row {
  order: number;
  wallMs: number;
  summer: boolean;
}

/** A meter with rows as given, which hangs up in the middle of the row after `cutAfter` ones. */
interface Meter {
  rows: readonly Row[];
  nowMs: number;
  cutAfter: number;
  /** Whether limits pick single rows, or the first and the last of a stretch. */
  picksSingleRows: boolean;
  switches?: boolean;
  /** Cells of a row where they are not as they should be. */
  spoil?: (row: Row, cells: string[]) => string[];
}

function cellsOf(row: Row, { spoil }: Meter): string[] {
  const cells = [
    `${row.order + 900}`,
    `${row.order}`,
    formatMeterTime(row.wallMs),
    `${row.order}`,
    row.summer ? '16' : '0',
    'CRC Ok',
  ];
  return spoil ? spoil(row, cells) : cells;
}

/** What the meter sends for `position;from;to`; undefined for nothing. */
function select(meter: Meter, position: number, from: string, to: string): Row[] {
  const cell = (row: Row) => (position === 3 ? row.wallMs : row.order);
  const limit = (text: string, open: number) =>
    text === '' ? open : position === 3 ? Date.parse(`${text.replace(',', 'T')}Z`) : Number(text);
  const above = (row: Row) => cell(row) >= limit(from, -Infinity);
  const below = (row: Row) => cell(row) <= limit(to, Infinity);
  if (meter.picksSingleRows) return meter.rows.filter((row) => above(row) && below(row));
  const first = meter.rows.findIndex(above);
  return first < 0 ? [] : meter.rows.slice(first, meter.rows.findLastIndex(below) + 1);
}

/** One try of `taskCall`, as a poller makes it. */
async function tryOnce(meter: Meter, [taskCall, kwargs]: [string, Kwargs], resume?: Resume) {
  let blocks: Reply[] = [];
  const header = (name: string, cells: string) => [name, [[block(cells)]]] as const;
  const fixed = script({
    '/?!': [[bytes('/Els6\\2EK280\r\n')]],
    'select 061': [[command('P0', '()')]],
    'R1 1:400.0(1)': [[block(`1:400.0(${formatMeterTime(ZONE.toWall(meter.nowMs))})`)]],
    'R1 1:40F.0(1)': [[block('1:40F.0(60)')]],
    'R1 1:407.0(1)': [[block(`1:407.0(${meter.switches === false ? 0 : 1})`)]],
    ...Object.fromEntries([
      header('R1 3:V.4(3;;;)', '(1:160)(3:160)(1:400)(2:300)(0:0)(0:0)'),
      header('R1 3:V.3(3;;;)', '()()()(m3)()()'),
      header('R1 3:V.2(3;;;)', '(GONo)(AONo)(Time)(Vb)(St.Sy)(Check)'),
    ]),
  });
  const link = new ScriptedLink((message) => {
    const range = /^R3 3:V\.0\((\d+);([^;]*);([^;]*);10\)$/.exec(message);
    if (range) {
      const rows = select(meter, Number(range[1]), range[2]!, range[3]!);
      if (rows.length === 0) return [block('(#0104)')];
      blocks = rows.map((row, index) => {
        const text = `(${cellsOf(row, meter).join(')(')})`;
        if (index >= meter.cutAfter) return [bytes(`\x02${text.slice(0, 9)}`), 'hang-up'];
        return [index === rows.length - 1 ? block(text) : partialBlock(text)];
      });
    } else if (message.startsWith('R1 3:V.A')) {
      const [, position, from, to] = /^R1 3:V\.A\((\d+);([^;]*);([^;]*);\)$/.exec(message)!;
      return [block(`(${select(meter, Number(position), from!, to!).length})`)];
    } else if (message !== 'ACK') {
      return fixed(message);
    }
    return blocks.shift() ?? [];
  });
  const request = {
    meter: { name: 'm', timeZone: 'UTC' },
    calls: [{ runId: 'run', taskCall, kwargs, ...(resume && { resume }) }],
  };
  const outcomes: CallOutcome[] = [];
  try {
    for await (const outcome of genericLis200.run(request, { link, now: () => meter.nowMs, replyTimeoutMs: 1000 })) {
      outcomes.push(outcome);
    }
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONNECTION_LOST' });
  }
  const [outcome] = outcomes;
  const read = outcome!.readings.map(({ value }) => Number(value));
  return { outcome: outcome!, read, asked: link.sent.filter((message) => message.startsWith('R3')) };
}

/** Rows of an hour each, the first with order number 1. */
function hourly(count: number, from = START): Row[] {
  return Array.from({ length: count }, (_, index) => {
    const instantMs = from + index * HOUR_MS;
    const wallMs = ZONE.toWall(instantMs);
    return { order: index + 1, wallMs, summer: wallMs - instantMs > HOUR_MS };
  });
}

const JANUARY = Date.parse('2026-01-31T00:00:00Z');
const byOffset: [string, Kwargs] = ['read_archive_by_offset_seconds', { offset_seconds: 6 * 3600 }];
const byDate = (start: number, end?: number): [string, Kwargs] => [
  'read_archive_by_date',
  { start_date: new Date(start).toISOString(), ...(end !== undefined && { end_date: new Date(end).toISOString() }) },
];
const meterOf = (changes: Partial<Meter>): Meter => ({
  rows: hourly(10, JANUARY),
  nowMs: JANUARY + 9.5 * HOUR_MS,
  cutAfter: Infinity,
  picksSingleRows: false,
  ...changes,
});

describe('an archive read that broke off', () => {
  it('goes on from the last row that came, by its order number', async () => {
    const first = await tryOnce(meterOf({ cutAfter: 3 }), byOffset);
    expect(first.outcome.error).toMatchObject({ code: 'CONNECTION_LOST' });
    expect(first.read).toEqual([5, 6, 7]);
    const second = await tryOnce(meterOf({}), byOffset, first.outcome.resume);
    expect(second.asked).toEqual(['R3 3:V.0(2;7;;10)']);
    expect(second.read).toEqual([7, 8, 9, 10]);
    expect(second.outcome).not.toHaveProperty('resume');
  });

  it('keeps the end of its range, and goes on by time then', async () => {
    const call = byDate(JANUARY, JANUARY + 7 * HOUR_MS);
    const first = await tryOnce(meterOf({ cutAfter: 3 }), call);
    const second = await tryOnce(meterOf({}), call, first.outcome.resume);
    expect(second.asked).toEqual(['R3 3:V.0(3;2026-01-31,03:00:00;2026-01-31,08:00:00;10)']);
    expect(second.read).toEqual([3, 4, 5, 6, 7, 8]);
  });

  it('keeps the start of the first window when no row came, though the clock has moved on', async () => {
    const first = await tryOnce(meterOf({ cutAfter: 0 }), byOffset);
    expect(first.read).toEqual([]);
    const later = meterOf({ rows: hourly(15, JANUARY), nowMs: JANUARY + 14.5 * HOUR_MS });
    const second = await tryOnce(later, byOffset, first.outcome.resume);
    expect(second.read).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    expect((await tryOnce(later, byOffset)).read[0]).toBe(10);
  });

  it('comes again to a row that could not be used', async () => {
    const spoil = (row: Row, cells: string[]) => (row.order === 7 ? cells.with(2, 'no time') : cells);
    const first = await tryOnce(meterOf({ spoil }), byOffset);
    expect(first.outcome.error).toMatchObject({ code: 'PROTOCOL' });
    expect(first.read).toEqual([5, 6, 8, 9, 10]);
    const second = await tryOnce(meterOf({}), byOffset, first.outcome.resume);
    expect(second.read).toEqual([6, 7, 8, 9, 10]);
  });

  it('starts over when the row it would go on from is gone, and keeps what it read all the same', async () => {
    const first = await tryOnce(meterOf({ cutAfter: 3 }), byOffset);
    // Reset: order numbers begin again.
    const reset = meterOf({ rows: hourly(3, JANUARY + 8 * HOUR_MS) });
    const second = await tryOnce(reset, byOffset, first.outcome.resume);
    expect(second.asked).toHaveLength(2);
    expect(second.outcome.error).toBeUndefined();
    expect(second.read).toEqual([1, 2, 3]);
  });

  it('starts over when its range ends and the clock was put back, as times then hide rows', async () => {
    const rows = hourly(10, JANUARY).map((row) => (row.order < 6 ? row : { ...row, wallMs: row.wallMs - 4 * HOUR_MS }));
    const call = byDate(JANUARY - HOUR_MS, JANUARY + 20 * HOUR_MS);
    const first = await tryOnce(meterOf({ rows, cutAfter: 4, picksSingleRows: true }), call);
    const second = await tryOnce(meterOf({ rows, picksSingleRows: true }), call, first.outcome.resume);
    expect(second.asked).toHaveLength(2);
    expect(new Set([...first.read, ...second.read])).toEqual(new Set(rows.map(({ order }) => order)));
  });

  it.each<[string, Resume]>([
    ['of another call', { page: 3 }],
    ['with limits that are no times', { from: '0)(1:400.0', to: '' }],
    ['with a place that is none', { from: '2026-01-31,00:00:00', to: '', last: { order: '1;', time: '', rows: 1 } }],
  ])('starts over with a state %s', async (_, resume) => {
    const { read, outcome } = await tryOnce(meterOf({}), byOffset, resume);
    expect(outcome.error).toBeUndefined();
    expect(read).toEqual([5, 6, 7, 8, 9, 10]);
  });

  it('does not go on within the hour that the clock shows twice', async () => {
    const rows = hourly(12);
    const meter = { rows, nowMs: START + 12 * HOUR_MS, cutAfter: 4, picksSingleRows: false, switches: true };
    const call: [string, Kwargs] = ['read_archive_by_offset_seconds', { offset_seconds: 13 * 3600 }];
    const first = await tryOnce(meter, call);
    // Rows at 00:00, 01:00, 02:00 and again 02:00 of the clock: only the first lies an hour before the change.
    expect(first.read).toEqual([1, 2, 3, 4]);
    expect(first.outcome.resume).toMatchObject({ last: { time: expect.stringMatching(/,0[01]:00:00$/) as string } });
    const second = await tryOnce({ ...meter, cutAfter: Infinity }, call, first.outcome.resume);
    expect(second.outcome.readings.map(({ measuredAt }) => measuredAt)).toEqual(
      rows.slice(-second.read.length).map((_row, index, tail) => START + (12 - tail.length + index) * HOUR_MS),
    );
  });
});

/** Rows as a meter writes them whose clock somebody sets, also back, and which loses some. */
const archives = fc
  .array(fc.tuple(fc.constantFrom(1, 1, 1, 1, 0, -3, 5), fc.integer({ min: 0, max: 9 })), {
    minLength: 1,
    maxLength: 40,
  })
  .map((steps) => {
    const rows: Row[] = [];
    let instantMs = START;
    steps.forEach(([hours, luck], index) => {
      instantMs += hours * HOUR_MS;
      const wallMs = ZONE.toWall(instantMs);
      if (luck > 0) rows.push({ order: index + 1, wallMs, summer: wallMs - instantMs > HOUR_MS });
    });
    return { rows, lastMs: instantMs };
  });

it('leaves no hole, wherever the tries break off and whatever was done to the clock', async () => {
  await fc.assert(
    fc.asyncProperty(
      archives,
      fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 5 }),
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      async ({ rows, lastMs }, cuts, picksSingleRows, closed, switches) => {
        const [start, end] = [START + 2 * HOUR_MS, START + 20 * HOUR_MS];
        const call = byDate(start, closed ? end : undefined);
        const meter = { rows, nowMs: lastMs, picksSingleRows, switches };
        const wanted = (await tryOnce({ ...meter, cutAfter: Infinity }, call)).read;
        const read = new Set<number>();
        let resume: Resume;
        for (const cutAfter of [...cuts, Infinity]) {
          const { outcome, read: rowsRead } = await tryOnce({ ...meter, cutAfter }, call, resume);
          rowsRead.forEach((row) => read.add(row));
          resume = outcome.resume ?? resume;
        }
        expect([...wanted].filter((row) => !read.has(row))).toEqual([]);
      },
    ),
    { numRuns: 300 },
  );
});
