import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isEchoOf, objectName, parseAddress, wireAddress } from '../../src/protocols/lis200/address.js';
import { archiveReadings } from '../../src/protocols/lis200/archive-readings.js';
import { errorNumber, Lis200Error } from '../../src/protocols/lis200/error-telegram.js';
import { formatMeterTime, parseMeterTime } from '../../src/protocols/lis200/meter-time.js';
import { profileFor } from '../../src/protocols/lis200/profiles.js';
import { canonicalUnit } from '../../src/protocols/lis200/units.js';
import { deviceZone, namedZone } from '../../src/protocols/lis200/zone.js';
import { parseDataLine } from '../../src/protocols/iec62056-21/data-set.js';

const at = (iso: string) => Date.parse(iso);
const wall = (text: string) => parseMeterTime(text)!;

describe('addresses', () => {
  it.each([
    ['2:302.0', '2:302', '2:302.0'],
    ['2:302', '2:302', '2:302.0'],
    ['7-2:302.2', '2:302', '2:302.2'],
    ['0002:0302.0', '2:302', '2:302.0'],
    ['1:40f', '1:40F', '1:40F.0'],
    ['06:310_1.0', '6:310_1', '6:310_1.0'],
    ['3:V.a', '3:V', '3:V.A'],
    ['1:000', '1:0', '1:0.0'],
  ])('normalises %s', (text, name, wire) => {
    expect(objectName(parseAddress(text)!)).toBe(name);
    expect(wireAddress(parseAddress(text)!)).toBe(wire);
  });

  it.each(['', '302', '2:', ':302', '2:302.', '2:302)', '1.8.0', '2:3 02'])('takes %j for no address', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  it('knows its echo in another spelling, and another object', () => {
    const asked = parseAddress('2:302.0')!;
    for (const echo of ['', '2:302.0', '7-2:302.2', '0002:0302']) expect(isEchoOf(asked, echo)).toBe(true);
    for (const echo of ['2:301.0', '1:302.0', 'nonsense']) expect(isEchoOf(asked, echo)).toBe(false);
  });
});

describe('error telegrams', () => {
  it.each([
    [4, 'NOT_AVAILABLE'],
    [17, 'WRONG_PASSWORD'],
    [18, 'ACCESS_DENIED'],
    [101, 'NOT_AVAILABLE'],
    [201, 'WRONG_PASSWORD'],
    [6, 'REFUSED'],
    [9999, 'REFUSED'],
  ])('maps error %i to %s', (number, code) => {
    const error = new Lis200Error(number, 'read 1:1');
    expect(error.code).toBe(code);
    expect(error.message).toContain(`error ${number}:`);
    expect(error.retryable).toBe(false);
  });

  it('recognises a number and nothing else', () => {
    expect(errorNumber(parseDataLine('(#0018)'))).toBe(18);
    expect(errorNumber(parseDataLine('2:302.0(#0004)'))).toBe(4);
    for (const text of ['(0018)', '(#)', '(#0018)(1)', '(#12x)', ''])
      expect(errorNumber(parseDataLine(text))).toBeUndefined();
  });
});

describe('meter time', () => {
  it('reads back what it writes', () => {
    const seconds = fc.integer({ min: at('1970-01-01T00:00:00Z') / 1000, max: at('2099-12-31T23:59:59Z') / 1000 });
    fc.assert(fc.property(seconds, (time) => void expect(wall(formatMeterTime(time * 1000))).toBe(time * 1000)));
  });

  it('accepts a blank behind the comma and refuses days that do not exist', () => {
    expect(parseMeterTime('2026-01-31, 09:00:00')).toBe(at('2026-01-31T09:00:00Z'));
    for (const text of ['2026-02-29,00:00:00', '0000-00-00,00:00:00', '2026-01-31', '2026-01-31,24:00:00', '']) {
      expect(parseMeterTime(text)).toBeUndefined();
    }
  });
});

describe('zones', () => {
  const automatic = deviceZone(60, { mode: 'automatic' });

  it('applies a fixed offset all year without summer time', () => {
    const zone = deviceZone(60, { mode: 'none' });
    expect(zone.instantsOf(wall('2026-07-01,12:00:00'))).toEqual([at('2026-07-01T11:00:00Z')]);
    expect(zone.switches).toBe(false);
  });

  it('converts any instant to the wall clock and back', () => {
    const instants = fc.integer({ min: at('2000-01-01T00:00:00Z') / 1000, max: at('2090-01-01T00:00:00Z') / 1000 });
    const zones = [
      automatic,
      deviceZone(-210, { mode: 'none' }),
      namedZone('Europe/Stockholm'),
      namedZone('America/St_Johns'),
    ];
    fc.assert(
      fc.property(instants, fc.constantFrom(...zones), (seconds, zone) => {
        expect(zone.instantsOf(zone.toWall(seconds * 1000))).toContain(seconds * 1000);
      }),
    );
  });

  it('agrees with the time zone database on the rule of the European Union', () => {
    const stockholm = namedZone('Europe/Stockholm');
    const hours = fc.integer({
      min: at('2000-01-01T00:00:00Z') / 3_600_000,
      max: at('2035-01-01T00:00:00Z') / 3_600_000,
    });
    fc.assert(
      fc.property(
        hours,
        (hour) => void expect(automatic.toWall(hour * 3_600_000)).toBe(stockholm.toWall(hour * 3_600_000)),
      ),
      { numRuns: 500 },
    );
  });

  it('names both instants of the repeated hour and takes the closest for a running clock', () => {
    const repeated = wall('2026-10-25,02:30:00');
    expect(automatic.instantsOf(repeated)).toEqual([at('2026-10-25T00:30:00Z'), at('2026-10-25T01:30:00Z')]);
    expect(automatic.nearest(repeated, at('2026-10-25T01:29:00Z'))).toBe(at('2026-10-25T01:30:00Z'));
    expect(automatic.changesNear(at('2026-10-25T01:30:00Z'))).toBe(true);
    expect(automatic.changesNear(at('2026-10-25T03:30:00Z'))).toBe(false);
  });

  it('reads the hour that spring skips as standard time', () => {
    expect(automatic.instantsOf(wall('2026-03-29,02:30:00'))).toEqual([at('2026-03-29T01:30:00Z')]);
  });

  it('follows summer time set by hand', () => {
    const zone = deviceZone(60, {
      mode: 'fixed',
      startWallMs: wall('2026-04-01,02:00:00'),
      endWallMs: wall('2026-09-30,03:00:00'),
    });
    expect(zone.toWall(at('2026-04-01T01:00:00Z'))).toBe(wall('2026-04-01,03:00:00'));
    expect(zone.toWall(at('2026-04-01T00:59:59Z'))).toBe(wall('2026-04-01,01:59:59'));
    expect(zone.toWall(at('2026-09-30T00:59:59Z'))).toBe(wall('2026-09-30,02:59:59'));
    expect(zone.toWall(at('2026-09-30T01:00:00Z'))).toBe(wall('2026-09-30,02:00:00'));
  });
});

describe('archive readings', () => {
  const profile = profileFor('EK280');
  const column = (source: string, unit?: string, name = '') => ({ source, unit, name });
  const columns = [
    column(''),
    column(''),
    column('1:400'),
    column('2:300', 'm3'),
    column('1:110', undefined, 'St.Sy'),
    column(''),
  ];
  const row = (order: number, time: string, value: string, { status = '0', check = 'CRC Ok' } = {}) => [
    String(order),
    String(order),
    time,
    value,
    status,
    check,
  ];

  it('makes a reading of listed numeric cells only, as sent, at the end of the period', () => {
    const { readings, problems } = archiveReadings(
      [row(1, '2026-01-31,09:00:00', '009000.1250'), row(2, '2026-01-31,10:00:00', '----')],
      columns,
      profile,
      deviceZone(60, { mode: 'none' }),
    );
    expect(readings).toEqual([
      { series: '2:300', measuredAt: at('2026-01-31T08:00:00Z'), value: '009000.1250', unit: 'm3', status: 0 },
    ]);
    expect(problems).toEqual([]);
  });

  it('keeps a damaged row with a status bit', () => {
    const rows = [row(1, '2026-01-31,09:00:00', '1', { check: 'CRC Err' })];
    expect(archiveReadings(rows, columns, profile, deviceZone(0, { mode: 'none' })).readings[0]?.status).toBe(1);
  });

  it('tells the two copies of the repeated hour apart by order', () => {
    const unnamed = columns.map((each) => ({ ...each, name: '' }));
    const rows = ['01:30', '02:00', '02:30', '02:00', '02:30', '03:00'].map((time, n) =>
      row(n, `2026-10-25,${time}:00`, `${n}`),
    );
    const times = archiveReadings(rows, unnamed, profile, deviceZone(60, { mode: 'automatic' })).readings.map(
      (r) => r.measuredAt,
    );
    expect(times).toEqual(
      ['23:30', '00:00', '00:30', '01:00', '01:30', '02:00'].map((t, n) => at(`2026-10-${n === 0 ? 24 : 25}T${t}:00Z`)),
    );
  });

  it('tells them apart by system message 16 where the row has it', () => {
    const rows = [
      row(1, '2026-10-25,02:30:00', '1', { status: '13;16' }),
      row(2, '2026-10-25,02:30:00', '2', { status: '13' }),
    ];
    const { readings } = archiveReadings(rows, columns, profile, deviceZone(60, { mode: 'automatic' }));
    expect(readings.map((r) => r.measuredAt)).toEqual([at('2026-10-25T00:30:00Z'), at('2026-10-25T01:30:00Z')]);
  });

  it('leaves out extremes, which have a time of their own, and repeated sources', () => {
    const monthly = [
      column(''),
      column('1:400'),
      column('2:300'),
      column('7:310'),
      column('7:310'),
      column('1:400'),
      column(''),
    ];
    const rows = [['1', '2026-02-01,00:00:00', '10', '1.01', '1.20', '2026-01-07,10:00:00', 'CRC Ok']];
    const { readings } = archiveReadings(rows, monthly, profile, deviceZone(0, { mode: 'none' }));
    expect(readings.map(({ series, value }) => [series, value])).toEqual([
      ['2:300', '10'],
      ['7:310', '1.01'],
    ]);
  });

  it('uses the good rows beside one that it cannot use, and says so', () => {
    const rows = [row(1, '0000-00-00,00:00:00', '1'), row(2, '2026-01-31,10:00:00', '2'), ['1', '2']];
    const { readings, problems } = archiveReadings(rows, columns, profile, deviceZone(0, { mode: 'none' }));
    expect(readings.map(({ value }) => value)).toEqual(['2']);
    expect(problems).toHaveLength(2);
  });

  it('names a series as the profile maps it', () => {
    const mapped = { ...profile, series: new Map([['2:300', '7-0:13.26.0']]) };
    const rows = [row(1, '2026-01-31,10:00:00', '1')];
    expect(archiveReadings(rows, columns, mapped, deviceZone(0, { mode: 'none' })).readings[0]?.series).toBe(
      '7-0:13.26.0',
    );
  });
});

it('names units canonically and passes on what it does not know', () => {
  expect(['m3', 'm\u00b3', ' m3 ', '{C', 'bar', 'furlong', '', '-', undefined].map(canonicalUnit)).toEqual([
    'm3',
    'm3',
    'm3',
    '°C',
    'bar',
    'furlong',
    undefined,
    undefined,
    undefined,
  ]);
});

it('chooses a profile by the first model name it knows', () => {
  expect(profileFor(undefined, 'EK280').name).toContain('EK');
  expect(profileFor('DL240', 'EK280').name).toContain('DL');
  expect(profileFor('tc210').name).toContain('TC');
  expect(profileFor('XYZ').name).toContain('EK');
});
