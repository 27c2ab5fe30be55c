import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { executionContexts, findTaskCall, parseTaskKwargs } from '../../src/execution/contexts.js';
import type { CallOutcome, SessionRequest } from '../../src/execution/execution-context.js';
import { genericLis200 } from '../../src/execution/generic-lis200.js';
import {
  ACK,
  block,
  bytes,
  command,
  NAK,
  partialBlock,
  script,
  ScriptedLink,
  SILENCE,
  type Reply,
} from '../support/scripted-link.js';

/** Our clock; the meter's stands five seconds later, at 12:00:05 in a zone one hour ahead of UTC. */
const NOW = Date.parse('2026-01-31T11:00:00Z');
const at = (iso: string) => Date.parse(iso);

const SOURCES = '(1:160)(3:160)(0001:0400.0)(0002:0300.0)(0002:0301.0)(1:110)(0:0)';
const UNITS = '()()()(m3)(m3)()()';
const METER: Record<string, readonly Reply[]> = {
  '/?!': [[bytes('/Els6\\2EK280\r\n')]],
  'select 061': [[command('P0', '()')]],
  'R1 1:180.0(1)': [[block('1:180.0(0004711)')]],
  'R1 1:400.0(1)': [[block('1:400.2(2026-01-31,12:00:05)')]],
  'R1 1:40F.0(1)': [[block('1:40F.0(60)')]],
  'R1 1:407.0(1)': [[block('1:407.0(0)')]],
  'R1 2:302.0(1)': [[block('7-2:302.2(884301.5120*m3)')]],
  'R1 3:V.4(3;;;)': [[block(SOURCES)]],
  'R1 3:V.3(3;;;)': [[block(UNITS)]],
};
const row = (order: number, hour: string, value: string) =>
  `(${order})(${order - 900})(2026-01-31,${hour}:00:00)(${value})(${value})(0)(CRC Ok)`;

interface Session {
  outcomes: CallOutcome[];
  sent: string[];
  thrown: unknown;
}

async function session(
  calls: readonly [string, Record<string, unknown>][],
  answers: Record<string, readonly Reply[]> = {},
  {
    meter = {},
    password,
    now = () => NOW,
  }: { meter?: Partial<SessionRequest['meter']>; password?: string; now?: () => number } = {},
): Promise<Session> {
  const link = new ScriptedLink(script({ ...METER, ...answers }));
  const request: SessionRequest = {
    meter: { name: 'EK280-0042', timeZone: 'Europe/Stockholm', ...meter },
    ...(password === undefined ? {} : { credentials: { password } }),
    calls: calls.map(([taskCall, kwargs], index) => ({ runId: `run ${index}`, taskCall, kwargs })),
  };
  const outcomes: CallOutcome[] = [];
  let thrown: unknown;
  try {
    for await (const outcome of genericLis200.run(request, { link, now, replyTimeoutMs: 1000 })) outcomes.push(outcome);
  } catch (error) {
    thrown = error;
  }
  return { outcomes, sent: link.sent, thrown };
}

const READ_VALUE: [string, Record<string, unknown>] = ['read_single_value', { address: '2:302' }];

describe('a session', () => {
  it('signs on, checks the serial number, carries out the calls and says goodbye', async () => {
    const { outcomes, sent, thrown } = await session([READ_VALUE], {}, { meter: { serialNumber: '4711' } });
    expect(thrown).toBeUndefined();
    expect(sent).toEqual(['/?!', 'select 061', 'R1 1:180.0(1)', 'R1 2:302.0(1)', 'B0']);
    expect(outcomes).toEqual([
      {
        runId: 'run 0',
        readings: [{ series: '2:302', measuredAt: NOW, value: '884301.5120', unit: 'm3' }],
        result: { address: '2:302', value: '884301.5120', unit: 'm3', read_at: '2026-01-31T11:00:00.000Z' },
      },
    ]);
  });

  it('reads nothing from another meter than the registered one', async () => {
    const { outcomes, sent, thrown } = await session([READ_VALUE], {}, { meter: { serialNumber: '4712' } });
    expect(thrown).toMatchObject({ code: 'WRONG_METER', phase: 'verify meter' });
    expect(outcomes).toEqual([]);
    expect(sent).toEqual(['/?!', 'select 061', 'R1 1:180.0(1)', 'B0']);
  });

  it('calls the meter by its protocol address and refuses an impossible one', async () => {
    const addressed = await session([], { '/?00042137!': METER['/?!']! }, { meter: { protocolAddress: '00042137' } });
    expect(addressed.sent).toEqual(['/?00042137!', 'select 061', 'B0']);
    const impossible = await session([READ_VALUE], {}, { meter: { protocolAddress: '1!' } });
    expect(impossible.thrown).toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('goes on with the next call after an error telegram', async () => {
    const { outcomes, thrown } = await session([['read_single_value', { address: '9:999' }], READ_VALUE], {
      'R1 9:999.0(1)': [[block('(#0004)')]],
    });
    expect(outcomes[0]?.error).toMatchObject({ code: 'NOT_AVAILABLE', phase: 'read 9:999.0' });
    expect(outcomes[1]?.readings).toHaveLength(1);
    expect(thrown).toBeUndefined();
  });

  it('ends with the error of the line, which stands for the calls still to come', async () => {
    const { outcomes, sent, thrown } = await session([READ_VALUE, READ_VALUE], { 'R1 2:302.0(1)': [SILENCE] });
    expect(outcomes.map(({ error }) => error?.code)).toEqual(['TIMEOUT']);
    expect(thrown).toMatchObject({ code: 'TIMEOUT', phase: 'read 2:302.0' });
    expect(sent.at(-1)).toBe('B0');
  });

  it('reports wrong kwargs and unknown calls as outcomes', async () => {
    const { outcomes } = await session([
      ['read_single_value', { adress: '2:302' }],
      ['read_everything', {}],
      READ_VALUE,
    ]);
    expect(outcomes.map(({ error }) => error?.code)).toEqual(['BAD_KWARGS', 'UNSUPPORTED', undefined]);
  });

  it('keeps text that is no number in the result alone', async () => {
    const { outcomes } = await session([['read_single_value', { address: '1:181.0' }]], {
      'R1 1:181.0(1)': [[block('1:181.0(EK280)')]],
    });
    expect(outcomes[0]).toMatchObject({ readings: [], result: { value: 'EK280', unit: null } });
  });

  it('skips a late answer to another question and one with another attribute is fine', async () => {
    const { outcomes } = await session([READ_VALUE], {
      'R1 2:302.0(1)': [[block('1:400.0(2026-01-31,12:00:05)'), block('0002:0302.2(7.50*m3)')]],
    });
    expect(outcomes[0]?.readings[0]?.value).toBe('7.50');
  });
});

describe('reading an archive', () => {
  const byOffset: [string, Record<string, unknown>] = ['read_archive_by_offset_seconds', { offset_seconds: 10_805 }];
  const rowsCommand = 'R3 3:V.0(3;2026-01-31,09:00:00;;10)';

  it("reads from the meter's own time on, over partial blocks, in UTC", async () => {
    const { outcomes, sent } = await session([byOffset], {
      [rowsCommand]: [[partialBlock(`${row(1201, '09', '9000.1250')}\r\n${row(1202, '10', '9001.5000')}`)]],
      ACK: [[block(row(1203, '11', '9002.7500'))]],
    });
    const values: [string, string][] = [
      ['2026-01-31T08:00:00Z', '9000.1250'],
      ['2026-01-31T09:00:00Z', '9001.5000'],
      ['2026-01-31T10:00:00Z', '9002.7500'],
    ];
    expect(outcomes[0]).toEqual({
      runId: 'run 0',
      clockDeviationSeconds: 5,
      readings: values.flatMap(([time, value]) =>
        ['2:300', '2:301'].map((series) => ({ series, measuredAt: at(time), value, unit: 'm3', status: 0 })),
      ),
    });
    expect(sent.slice(-2)).toEqual(['ACK', 'B0']);
  });

  it('converts the dates of a range to meter time and reads rows joined without line ends', async () => {
    const { outcomes, sent } = await session(
      [
        [
          'read_archive_by_date',
          { start_date: '2026-01-31T08:00:00Z', end_date: '2026-01-31T11:30:00+02:00', archive_number: 3 },
        ],
      ],
      { 'R3 3:V.0(3;2026-01-31,09:00:00;2026-01-31,10:30:00;10)': [[block(row(1, '09', '1') + row(2, '10', '2'))]] },
    );
    expect(outcomes[0]?.error).toBeUndefined();
    expect(outcomes[0]?.readings).toHaveLength(4);
    expect(sent).not.toContain('R1 1:400.0(1)');
  });

  it.each<[string, Record<string, readonly Reply[]>]>([
    ['sources, repeated', { 'R1 3:V.4(3;;;)': [SILENCE, [block(SOURCES), block(SOURCES)]] }],
    ['units', { 'R1 3:V.4(3;;;)': [[block(UNITS), block(SOURCES)]] }],
    ['a row', { 'R1 3:V.4(3;;;)': [[block(row(1, '09', '1')), block(SOURCES)]] }],
  ])('does not take late %s for another header: rows would lose their readings', async (_what, late) => {
    const answers = { ...late, [rowsCommand]: [[block(row(1, '09', '1'))]] };
    const { outcomes } = await session([byOffset], answers);
    expect(outcomes[0]?.error).toBeUndefined();
    expect(outcomes[0]?.readings).toMatchObject([
      { series: '2:300', value: '1', unit: 'm3' },
      { series: '2:301', value: '1', unit: 'm3' },
    ]);
  });

  it('passes archive number and control position on', async () => {
    const { sent } = await session(
      [['read_archive_by_offset_seconds', { offset_seconds: 5, archive_number: 7, control_position: 2 }]],
      {
        'R1 7:V.4(2;;;)': [[block('(0002:0300.0)')]],
        'R1 7:V.3(2;;;)': [[block('(m3)')]],
        'R3 7:V.0(2;2026-01-31,12:00:00;;10)': [[block('(#0103)')]],
      },
    );
    expect(sent).toContain('R3 7:V.0(2;2026-01-31,12:00:00;;10)');
  });

  it.each([103, 104, 105])('takes error %i with an open end for nothing new', async (number) => {
    const { outcomes } = await session([byOffset], { [rowsCommand]: [[block(`(#0${number})`)]] });
    expect(outcomes[0]?.error).toBeUndefined();
    expect(outcomes[0]?.readings).toEqual([]);
  });

  it('takes a missing limit of a closed range for a refusal', async () => {
    const { outcomes } = await session(
      [['read_archive_by_date', { start_date: '2026-01-31T08:00:00Z', end_date: '2026-01-31T09:00:00Z' }]],
      { 'R3 3:V.0(3;2026-01-31,09:00:00;2026-01-31,10:00:00;10)': [[block('(#0104)')]] },
    );
    expect(outcomes[0]?.error).toMatchObject({ code: 'REFUSED' });
  });

  it('keeps the rows it had when the meter hangs up in the middle of a block', async () => {
    const { outcomes, thrown } = await session([byOffset, READ_VALUE], {
      [rowsCommand]: [[partialBlock(row(1, '09', '1'))]],
      ACK: [[bytes('\x02(2)(2)(2026-'), 'hang-up']],
    });
    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]?.readings).toHaveLength(2);
    expect(outcomes[0]?.error).toMatchObject({ code: 'CONNECTION_LOST', phase: 'read archive 3' });
    expect(thrown).toMatchObject({ code: 'CONNECTION_LOST' });
  });

  it('starts again from the last row when the meter overwrites one, and counts each row once', async () => {
    const { outcomes } = await session([byOffset], {
      [rowsCommand]: [[partialBlock(`${row(1, '09', '1')}\r\n${row(2, '10', '2')}`)]],
      ACK: [[block('(#0109)')]],
      'R3 3:V.0(3;2026-01-31,10:00:00;;10)': [[block(`${row(2, '10', '2')}\r\n${row(3, '11', '3')}`)]],
    });
    expect(outcomes[0]?.error).toBeUndefined();
    expect(outcomes[0]?.readings.map(({ value }) => value)).toEqual(['1', '1', '2', '2', '3', '3']);
  });

  it('does not start again for ever', async () => {
    const { outcomes, sent } = await session([byOffset], { [rowsCommand]: [[block('(#0109)')]] });
    expect(outcomes[0]?.error).toMatchObject({ code: 'REFUSED' });
    expect(sent.filter((message) => message === rowsCommand)).toHaveLength(4);
  });

  it('asks for column names only of a meter that switches to summer time', async () => {
    const columns = 'R1 3:V.2(3;;;)';
    const { outcomes, sent } = await session([byOffset], {
      'R1 1:407.0(1)': [[block('1:407.0(1)')]],
      [columns]: [[block('(GONo)(AONo)(Time)(Vb)(VbT)(St.Sy)(Check)')]],
      [rowsCommand]: [[block(row(1, '09', '1').replace('(0)(CRC', '(16)(CRC'))]],
    });
    expect(sent).toContain(columns);
    expect(outcomes[0]?.readings[0]?.measuredAt).toBe(at('2026-01-31T07:00:00Z'));
    expect((await session([byOffset], { [rowsCommand]: [[block('(#0103)')]] })).sent).not.toContain(columns);
  });

  it('uses the registered time zone when the meter does not tell its offset', async () => {
    const { outcomes } = await session([byOffset], {
      'R1 1:40F.0(1)': [[block('(#0002)')]],
      [rowsCommand]: [[block(row(1, '09', '1'))]],
    });
    expect(outcomes[0]?.readings[0]?.measuredAt).toBe(at('2026-01-31T08:00:00Z'));
  });
});

it('measures the clock against the middle of the exchange', async () => {
  let time = NOW;
  const { outcomes } = await session(
    [['read_archive_by_offset_seconds', { offset_seconds: 5 }]],
    {},
    { now: () => (time += 4000) },
  );
  // Asked at four seconds, answered at eight: the meter's five seconds are one behind the middle.
  expect(outcomes[0]?.clockDeviationSeconds).toBe(-1);
});

describe('locks', () => {
  const denied: Record<string, readonly Reply[]> = {
    'R1 2:302.0(1)': [[block('(#0018)')], [block('2:302.0(1*m3)')]],
    'W1 3:171.0(secret)': [[ACK]],
    'R1 3:170.0(1)': [[block('3:170.0(0)')], [block('3:170.0(1)')]],
    'W1 3:170.0(0)': [[ACK]],
  };

  it('opens the lock for a value that needs it and closes it again', async () => {
    const { outcomes, sent } = await session([READ_VALUE], denied, { password: 'secret' });
    expect(outcomes[0]?.readings).toHaveLength(1);
    expect(sent.slice(2)).toEqual([
      'R1 2:302.0(1)',
      'R1 3:170.0(1)',
      'W1 3:171.0(secret)',
      'R1 3:170.0(1)',
      'R1 2:302.0(1)',
      'W1 3:170.0(0)',
      'B0',
    ]);
  });

  it('never writes the code of a lock that is open, nor closes it', async () => {
    const { sent } = await session(
      [READ_VALUE],
      { ...denied, 'R1 3:170.0(1)': [[block('3:170.0(1)')]] },
      { password: 'secret' },
    );
    expect(sent.filter((message) => message.startsWith('W1'))).toEqual([]);
  });

  it('reports the denial when there is no password', async () => {
    const { outcomes } = await session([READ_VALUE], denied);
    expect(outcomes[0]?.error).toMatchObject({ code: 'ACCESS_DENIED' });
  });

  it.each([
    ['error 17', { 'W1 3:171.0(secret)': [[block('(#0017)')]] }],
    ['NAK', { 'W1 3:171.0(secret)': [[NAK]] }],
    ['ACK and a lock that stays closed', { 'R1 3:170.0(1)': [[block('3:170.0(0)')]] }],
  ])('says WRONG_PASSWORD of %s, after a single try', async (_, answers: Record<string, Reply[]>) => {
    const { outcomes, sent } = await session([READ_VALUE], { ...denied, ...answers }, { password: 'secret' });
    expect(outcomes[0]?.error).toMatchObject({ code: 'WRONG_PASSWORD', retryable: false });
    expect(sent.filter((message) => message.startsWith('W1 3:171'))).toHaveLength(1);
  });

  it('does not send a password that would be another command', async () => {
    const { outcomes, sent } = await session([READ_VALUE], denied, { password: '0)(1' });
    expect(outcomes[0]?.error).toMatchObject({ code: 'BAD_CREDENTIALS' });
    expect(sent.filter((message) => message.startsWith('W1'))).toEqual([]);
  });
});

describe('setting the clock', () => {
  const now = () => Date.parse('2026-01-31T11:20:00.400Z');
  const clock = (text: string): Reply => [block(`1:400.0(${text})`)];
  const supplierLock: Record<string, readonly Reply[]> = {
    'R1 4:150.0(1)': [[block('4:150.0(60*Minutes)')]],
    'R1 3:170.0(1)': [[block('3:170.0(0)')], [block('3:170.0(1)')]],
    'W1 3:171.0(0)': [[ACK]],
    'W1 3:170.0(0)': [[ACK]],
    'W1 1:400.0(2026-01-31,12:20:00)': [[ACK]],
  };
  const setTime = (answers: Record<string, readonly Reply[]>, kwargs = {}, time = now) =>
    session([['set_time', kwargs]], { ...supplierLock, ...answers }, { password: '0', now: time });

  it('writes our time behind the supplier lock and reads it back', async () => {
    const { outcomes, sent } = await setTime({
      'R1 1:400.0(1)': [clock('2026-01-31,12:21:00'), clock('2026-01-31,12:20:00')],
    });
    expect(outcomes[0]).toEqual({
      runId: 'run 0',
      readings: [],
      clockDeviationSeconds: -0.4,
      result: {
        set: true,
        old_clock: '2026-01-31T11:21:00.000Z',
        deviation_seconds: 59.6,
        new_clock: '2026-01-31T11:20:00.000Z',
        new_deviation_seconds: -0.4,
      },
    });
    expect(sent.slice(-4)).toEqual(['W1 1:400.0(2026-01-31,12:20:00)', 'R1 1:400.0(1)', 'W1 3:170.0(0)', 'B0']);
  });

  it('leaves a clock alone that is right enough', async () => {
    const { outcomes, sent } = await setTime({ 'R1 1:400.0(1)': [clock('2026-01-31,12:20:05')] });
    expect(outcomes[0]).toMatchObject({ result: { set: false }, clockDeviationSeconds: 4.6 });
    expect(sent.filter((message) => message.startsWith('W1'))).toEqual([]);
  });

  it.each([
    ['above the maximum', '2026-01-31,14:00:00', now, 'CLOCK_DRIFT_TOO_LARGE'],
    ['near the end of a period', '2026-01-31,12:59:45', () => Date.parse('2026-01-31T11:59:00Z'), 'REFUSED'],
    ['over the end of a period', '2026-01-31,13:02:00', () => Date.parse('2026-01-31T11:58:00Z'), 'REFUSED'],
  ])('refuses a correction %s', async (_, meterTime, time, code) => {
    const { outcomes, sent } = await setTime({ 'R1 1:400.0(1)': [clock(meterTime)] }, {}, time);
    expect(outcomes[0]?.error).toMatchObject({ code });
    expect(outcomes[0]?.clockDeviationSeconds).toBeGreaterThan(40);
    expect(sent.filter((message) => message.startsWith('W1 1:400'))).toEqual([]);
  });

  it('refuses in the repeated hour of autumn', async () => {
    const { outcomes } = await setTime(
      { 'R1 1:407.0(1)': [[block('1:407.0(1)')]], 'R1 1:400.0(1)': [clock('2026-10-25,02:31:00')] },
      {},
      () => Date.parse('2026-10-25T01:30:00Z'),
    );
    expect(outcomes[0]?.error).toMatchObject({
      code: 'REFUSED',
      message: expect.stringContaining('summer time') as string,
    });
  });

  it('says so when the meter acknowledges but does not change its clock', async () => {
    const { outcomes } = await setTime({ 'R1 1:400.0(1)': [clock('2026-01-31,12:21:00')] });
    expect(outcomes[0]?.error).toMatchObject({ code: 'REFUSED', phase: 'set clock' });
  });

  it('does not write twice when the acknowledgement is lost', async () => {
    const write = 'W1 1:400.0(2026-01-31,12:20:00)';
    const { sent, thrown } = await setTime({ 'R1 1:400.0(1)': [clock('2026-01-31,12:21:00')], [write]: [SILENCE] });
    expect(sent.filter((message) => message === write)).toHaveLength(1);
    expect(thrown).toMatchObject({ code: 'TIMEOUT', phase: 'set clock' });
  });
});

describe('execution contexts', () => {
  it('lists its calls with a JSON Schema whose fields are described', () => {
    const context = executionContexts.get('generic_lis200')!;
    expect([...context.calls.keys()]).toEqual([
      'read_single_value',
      'read_archive_by_date',
      'read_archive_by_offset_seconds',
      'set_time',
    ]);
    for (const { kwargs } of context.calls.values()) {
      const schema = z.toJSONSchema(kwargs, { io: 'input' });
      expect(schema.additionalProperties).toBe(false);
      for (const property of Object.values(schema.properties ?? {})) expect(property).toHaveProperty('description');
    }
  });

  it('names the contexts and calls there are', () => {
    expect(() => findTaskCall('generic_dlms', 'x')).toThrow(/"generic_dlms".*generic_lis200/);
    expect(() => findTaskCall('generic_lis200', 'read_all')).toThrow(/"read_all".*read_single_value, /);
    expect(findTaskCall('generic_lis200', 'set_time')).toMatchObject({ writesToMeter: true, idempotent: true });
  });

  it.each([
    ['read_archive_by_date', { start_date: '2026-01-31T10:00:00' }, 'taskKwargs.start_date', /offset/],
    [
      'read_archive_by_date',
      { start_date: '2026-01-31T10:00:00Z', end_date: '2026-01-31T10:00:00Z' },
      'taskKwargs.end_date',
      /later than start_date/,
    ],
    ['read_archive_by_offset_seconds', { offset_seconds: 0 }, 'taskKwargs.offset_seconds', /./],
    ['read_archive_by_offset_seconds', {}, 'taskKwargs.offset_seconds', /./],
    ['read_single_value', { address: '3:V.0' }, 'taskKwargs.address', /2:302/],
    ['read_single_value', { address: '2:302', more: 1 }, 'taskKwargs', /more/],
    ['set_time', { allowed_drift_seconds: 10, maximum_drift_seconds: 5 }, 'taskKwargs.maximum_drift_seconds', /below/],
  ])('refuses %s with %j', (call, kwargs, field, message) => {
    const parse = () => parseTaskKwargs('generic_lis200', call, kwargs);
    expect(parse).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT', field }) as Error);
    expect(parse).toThrow(message);
  });

  it('fills in the defaults of the archive calls', () => {
    const kwargs = { offset_seconds: 1000, archive_number: 3, control_position: 3 };
    expect(parseTaskKwargs('generic_lis200', 'read_archive_by_offset_seconds', { offset_seconds: 1000 })).toEqual(
      kwargs,
    );
  });
});
