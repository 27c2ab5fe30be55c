import { describe, expect, it } from 'vitest';
import { FaultScript, type MeterFault } from '../../src/simulators/faults.js';
import { EOT, ETX, frame, SOH, STX } from '../../src/simulators/lis200-frames.js';
import { Lis200Meter, type Lis200MeterOptions } from '../../src/simulators/lis200-meter.js';
import { Lis200Session } from '../../src/simulators/lis200-session.js';

const NOON = Date.parse('2026-01-31T11:00:05Z');
const HEADER = 'GONo AONo Time Vb VbT V Vo p T K C St.2 St.4 St.7 St.6 St.Sy Ev Check'.split(' ');

/** A session with one meter that has one day of archives, at 12:00:05 of its own time; `say` takes and gives text. */
function meterAtNoon(options: Partial<Lis200MeterOptions> = {}) {
  const clock = { now: NOON };
  const meter = new Lis200Meter({ serialNumber: '20100042', seed: 1, installedAt: NOON - 86_400_000, ...options });
  const session = new Lis200Session([meter]);
  const say = (text: string) =>
    session
      .receive(Buffer.from(text, 'latin1'), clock.now)
      .map((answer) => answer.bytes.toString('latin1'))
      .join('');
  const command = (code: string, data: string) => say(frame(SOH, `${code}${STX}${data}`, ETX).toString('latin1'));
  return { clock, meter, session, say, command };
}

function programming(options: Partial<Lis200MeterOptions> = {}) {
  const opened = meterAtNoon(options);
  opened.say('/?!\r\n\x06061\r\n');
  return opened;
}

/** The frame `STX text ETX BCC`. */
const answer = (text: string, end: typeof ETX | typeof EOT = ETX) => frame(STX, text, end).toString('latin1');

describe('frames', () => {
  // Commands and answers as IEC 62056-21 and LIS200 devices form them; the BCCs are constants, not computed here.
  it.each([
    [frame(SOH, 'B0', ETX), '\x01B0\x03\x71'],
    [frame(SOH, `R1${STX}1:400.0(1)`, ETX), '\x01R1\x021:400.0(1)\x03\x73'],
    [frame(STX, '1:400.0(2026-01-31,12:00:05)', ETX), '\x021:400.0(2026-01-31,12:00:05)\x03\x0c'],
    [frame(STX, '7-2:302.2(884301.5120*m3)', ETX), '\x027-2:302.2(884301.5120*m3)\x03\x67'],
    [frame(STX, '(0.130)(0.251)\r\n', ETX), '\x02(0.130)(0.251)\r\n\x03\x00'],
  ])('end with the BCC over everything after the start %#', (made, expected) => {
    expect(made.toString('latin1')).toBe(expected);
  });

  it('of partial blocks have a BCC each, over rows parted by CR LF and the EOT or ETX', () => {
    const row = (order: number, hour: string, volume: string) =>
      `(${1200 + order})(${300 + order})(2026-01-31,${hour}:00:00)(${volume})(${volume})` +
      '(512.5)(512.5)(1.01325)(14.8)(0.99873)(1.04210)(0)(0)(0)(0)(0)(0x8104)(CRC Ok)';
    const first = frame(STX, `${row(1, '09', '9000.1250')}\r\n${row(2, '10', '9001.5000')}`, EOT);
    const last = frame(STX, row(3, '11', '9002.7500'), ETX);
    expect([first.at(-2), first.at(-1)]).toEqual([0x04, 0x0b]);
    expect([last.at(-2), last.at(-1)]).toEqual([0x03, 0x0a]);
  });
});

describe('sign-on', () => {
  it('identifies the meter, then opens programming mode with P0', () => {
    const { say } = meterAtNoon();
    expect(say('/?!\r\n')).toBe('/Els6\\2EK280\r\n');
    expect(say('\x06061\r\n')).toBe(frame(SOH, `P0${STX}(20100042)`, ETX).toString('latin1'));
  });

  it('answers to its own address, leading zeros aside, after wake-up NULs and with parity bits set', () => {
    const request = '\0'.repeat(53) + '/?0020100042!\r\n';
    const evenParity = Buffer.from(request, 'latin1').map((byte) =>
      byte.toString(2).replaceAll('0', '').length % 2 ? byte | 0x80 : byte,
    );
    expect(meterAtNoon().say(Buffer.from(evenParity).toString('latin1'))).toBe('/Els6\\2EK280\r\n');
  });

  it('is silent to another address and to a malformed request, and still there afterwards', () => {
    const { say } = meterAtNoon();
    expect(say('/?20100043!\r\n')).toBe('');
    expect(say('/?###!\r\n')).toBe('');
    expect(say('/?20100042!\r\n')).toBe('/Els6\\2EK280\r\n');
  });

  it('starts again when another option than programming mode is selected', () => {
    const { say } = meterAtNoon();
    expect(say('/?!\r\n\x06060\r\n')).toBe('/Els6\\2EK280\r\n');
    expect(say('/?!\r\n')).toBe('/Els6\\2EK280\r\n');
  });

  it('is needed again after B0', () => {
    const { say, command } = programming();
    expect(say('\x01B0\x03\x71')).toBe('');
    expect(command('R1', '1:180.0(1)')).toBe('');
  });

  it('makes no difference between cut and joined input', () => {
    const conversation = '\0\0/?!\r\n\x06061\r\n\x01R1\x021:400.0(1)\x03\x73\x01R1\x021:40F.0(1)\x03\x05';
    const whole = meterAtNoon().say(conversation);
    expect(whole).toContain('1:40F.0(60)\x03\x53');
    for (let cut = 1; cut < conversation.length; cut++) {
      const { say } = meterAtNoon();
      expect(say(conversation.slice(0, cut)) + say(conversation.slice(cut))).toBe(whole);
    }
  });
});

describe('values', () => {
  it('are read with the bytes that a device sends', () => {
    const { say } = programming();
    expect(say('\x01R1\x021:400.0(1)\x03\x73')).toBe('\x021:400.0(2026-01-31,12:00:05)\x03\x0c');
    expect(say('\x01R1\x021:40F.0(1)\x03\x05')).toBe('\x021:40F.0(60)\x03\x53');
    expect(say('\x01R1\x023:170.0(1)\x03\x73')).toBe('\x023:170.0(0)\x03\x13');
  });

  it('take padded addresses, an empty count and no attribute', () => {
    const { command } = programming();
    expect(command('R1', '0001:0180.0()')).toBe(answer('0001:0180.0(20100042)'));
    expect(command('R1', '1:180(1)')).toBe(answer('1:180(20100042)'));
    expect(command('R1', '1:407.0(1)')).toBe(answer('1:407.0(0)'));
  });

  it.each([
    ['2:300', /^7-2:300\.2\(\d+\.\d{4}\*m3\)$/],
    ['2:302', /^7-2:302\.2\(\d+\.\d{4}\*m3\)$/],
    ['4:300', /^7-4:300\.2\(\d+\.\d{4}\*m3\)$/],
    ['4:302', /^7-4:302\.2\(\d+\.\d{4}\*m3\)$/],
    ['7:310', /^7-7:310\.2\(1\.0\d{4}\*bar\)$/],
    ['6:310_1', /^7-6:310_1\.2\(\d+\.\d\*\{C\)$/],
    ['8:310', /^7-8:310\.2\(0\.99\d{3}\)$/],
    ['5:310', /^7-5:310\.2\(\d\.\d{5}\)$/],
  ])('of measurement %s carry their unit and echo another spelling of the address', (object, form) => {
    expect(programming().command('R1', `${object}.0(1)`).slice(1, -2)).toMatch(form);
  });

  it.each([
    ['R1', 'nonsense(1)', '(#0001)'],
    ['R1', '9:999.0(1)', '(#0002)'],
    ['R1', '1:400.7(1)', '(#0004)'],
    ['R1', '3:171.0(1)', '(#0018)'],
    ['W1', '1:180.0(1)', '(#0019)'],
    ['R1', '1:400.0', '(#0200)'],
    ['R9', '1:400.0(1)', '(#0200)'],
  ])('that cannot be had answer %s %s with %s', (code, data, telegram) => {
    expect(programming().command(code, data)).toBe(answer(telegram));
  });

  it('are refused with NAK when the BCC of the command is wrong, and repeated when the head-end sends NAK', () => {
    const { say } = programming();
    expect(say('\x01R1\x021:400.0(1)\x03\x72')).toBe('\x15');
    const value = say('\x01R1\x021:400.0(1)\x03\x73');
    expect(say('\x15')).toBe(value);
  });
});

describe('rows of archive 3', () => {
  const told = (options: Partial<Lis200MeterOptions>) =>
    programming({ installedAt: NOON - 5 * 3_600_000, ...options })
      .command('R1', '3:V.0(3;;;)')
      .slice(2, -3)
      .split(')\r\n(')
      .map((row) => row.split(')('))
      .map((cells) => [cells[1], cells[2]?.slice(11), cells[15], cells[16]]);
  const regular = (order: number, hour: string) => [String(order), `${hour}:00:00`, '0', '0x8104'];

  it('number a restart among the periods, with its event and message', () => {
    expect(told({ powerUps: [NOON - 1.5 * 3_600_000] })).toEqual([
      ...[regular(1, '08'), regular(2, '09'), regular(3, '10')],
      ['4', '10:30:05', '1', '0x3002'],
      ...[regular(5, '11'), regular(6, '12')],
    ]);
  });

  it('leave out the numbers of lost ones', () => {
    const gap = { from: NOON - 3.5 * 3_600_000, to: NOON - 1.5 * 3_600_000 };
    expect(told({ gap })).toEqual([regular(1, '08'), regular(4, '11'), regular(5, '12')]);
  });
});

describe('locks and clock', () => {
  it('sets the clock only with the supplier lock open', () => {
    const { say, command } = programming({ clockDeviationMs: 90_000 });
    const set = '\x01W1\x021:400.0(2026-01-31,12:00:00)\x03\x6d';
    expect(command('R1', '1:400.0(1)')).toBe(answer('1:400.0(2026-01-31,12:01:35)'));
    expect(say(set)).toBe(answer('(#0019)'));
    expect(say('\x01W1\x023:171.0(00000000)\x03\x46')).toBe('\x06');
    expect(command('R1', '3:170.0(1)')).toBe(answer('3:170.0(1)'));
    expect(say(set)).toBe('\x06');
    expect(command('R1', '1:400.0(1)')).toBe(answer('1:400.0(2026-01-31,12:00:00)'));
    expect(command('W1', '1:400.0(2026-02-30,12:00:00)')).toBe(answer('(#0013)'));
    expect(say('\x01W1\x023:170.0(0)\x03\x77')).toBe('\x06');
    expect(say(set)).toBe(answer('(#0019)'));
  });

  it('opens a lock with P1 too, and shuts it by itself', () => {
    const { clock, say, command } = programming();
    expect(say('\x01P1\x02(3:00000000)\x03\x68')).toBe('\x06');
    clock.now += 299_000;
    expect(command('R1', '3:170.0(1)')).toBe(answer('3:170.0(1)'));
    clock.now += 1_000;
    expect(command('R1', '3:170.0(1)')).toBe(answer('3:170.0(0)'));
  });

  it('answers a wrong code with error 17 and stays shut', () => {
    const { command } = programming();
    expect(command('W1', '3:171.0(11111111)')).toBe(answer('(#0017)'));
    expect(command('P1', '(4:11111111)')).toBe(answer('(#0017)'));
    expect(command('R1', '3:170.0(1)')).toBe(answer('3:170.0(0)'));
  });

  it('takes a code written to an open lock as the new one, as the devices do', () => {
    const { command } = programming();
    command('W1', '3:171.0(00000000)');
    expect(command('W1', '3:171.0(4711)')).toBe('\x06');
    command('W1', '3:170.0(0)');
    expect(command('W1', '3:171.0(00000000)')).toBe(answer('(#0017)'));
    expect(command('W1', '3:171.0(4711)')).toBe('\x06');
  });
});

describe('archives', () => {
  const rowsOf = (text: string) =>
    text
      .slice(1, -2)
      .split('\r\n')
      .map((line) => line.slice(1, -1).split(')('));

  it('tell their columns, units and zero-padded sources in one line each', () => {
    const { command } = programming();
    expect(rowsOf(command('R1', '3:V.2(1)'))).toEqual([HEADER]);
    expect(rowsOf(command('R1', '3:V.3(3;;;)'))[0]?.slice(3, 11)).toEqual([
      'm3',
      'm3',
      'm3',
      'm3',
      'bar',
      '{C',
      '',
      '',
    ]);
    expect(rowsOf(command('R1', '3:V.4(3;;;)'))[0]?.slice(2, 11)).toEqual(
      '1:0400.0 2:0300.0 2:0302.0 4:0300.0 4:0302.0 7:0310.0 6:0310_1.0 8:0310.0 5:0310.0'.split(' '),
    );
  });

  it('hold a row for each hour since installation, up to the meter clock', () => {
    const { clock, command } = programming();
    const rows = rowsOf(command('R1', '3:V.0(;;;)'));
    expect(rows.map((row) => row[1])).toEqual(Array.from({ length: 24 }, (_, i) => String(i + 1)));
    expect(rows.at(-1)).toHaveLength(18);
    expect(rows.at(-1)?.[2]).toBe('2026-01-31,12:00:00');
    expect(rows.at(-1)?.slice(11)).toEqual(['0', '0', '0', '0', '0', '0x8104', 'CRC Ok']);
    expect(rows.find((row) => row[2] === '2026-01-31,06:00:00')?.[16]).toBe('0x8103');
    clock.now += 3_600_000;
    expect(command('R1', '3:V.A(;;;)')).toBe(answer('(25)'));
  });

  it('select by any column that rises, both limits included', () => {
    const { command } = programming();
    const times = (range: string) => rowsOf(command('R1', `3:V.0(${range};)`)).map((row) => row[2]?.slice(11, 13));
    expect(times('3;2026-01-31,10:00:00;')).toEqual(['10', '11', '12']);
    expect(times('3;2026-01-31, 09:59:59;2026-01-31,11:00:00')).toEqual(['10', '11']);
    expect(times('2;23;')).toEqual(['11', '12']);
    expect(times(';;26')).toEqual(times('1;;26'));
    const volume = rowsOf(command('R1', '3:V.0(2;20;20;)'))[0]?.[3];
    expect(times(`4;${volume};${volume}`)).toEqual(['08']);
  });

  it('come in partial blocks that go on with ACK and are repeated with NAK', () => {
    const { say } = programming();
    const first = say('\x01R3\x023:V.0(3;2026-01-31,08:00:00;;2)\x03\x3b');
    expect(rowsOf(first)).toHaveLength(2);
    expect(first.at(-2)).toBe(EOT);
    expect(say('\x15')).toBe(first);
    const second = say('\x06');
    expect(rowsOf(second).map((row) => row[2])).toEqual(['2026-01-31,10:00:00', '2026-01-31,11:00:00']);
    const last = say('\x06');
    expect(rowsOf(last)).toHaveLength(1);
    expect(last.at(-2)).toBe(ETX);
    expect(say('\x06')).toBe('');
    expect(say('\x01R1\x023:V.A(3;2026-01-31,08:00:00;;)\x03\x7a')).toBe(answer('(5)'));
  });

  it('stop in the middle at a B0 or a new command', () => {
    const { say, command } = programming();
    command('R3', '3:V.0(;;;1)');
    expect(command('R1', '1:407.0(1)')).toBe(answer('1:407.0(0)'));
    expect(say('\x06')).toBe('');
  });

  it.each([
    ['R1', '5:V.0(;;;)', '(#0100)'],
    ['R1', '13:V.0(;;;)', '(#0100)'],
    ['R1', '3:V.0(40;;;)', '(#0101)'],
    ['R1', '3:V.0(8;;;)', '(#0101)'],
    ['R1', '3:V.0(18;;;)', '(#0101)'],
    ['R1', '1:V.0(;;;)', '(#0103)'],
    ['R3', '3:V.0(3;2026-01-31,12:00:01;;10)', '(#0104)'],
    ['R3', '3:V.0(3;2026-01-31,10:10:00;2026-01-31,10:20:00;10)', '(#0104)'],
    ['R3', '3:V.0(3;;2026-01-01,00:00:00;10)', '(#0105)'],
    ['R3', '3:V.0(3;yesterday;;10)', '(#0200)'],
    ['R3', '3:V.0(3;;;0)', '(#0200)'],
    ['R1', '3:V.Z(1)', '(#0004)'],
    ['R1', '3:V.6(1)', '(#0005)'],
  ])('answer %s %s with %s', (code, data, telegram) => {
    expect(programming().command(code, data)).toBe(answer(telegram));
  });

  it('keep a bounded number of rows each, the newest', () => {
    const { command } = programming({ installedAt: undefined, minuteArchive: true });
    const count = (archive: number) => command('R1', `${archive}:V.A(;;;)`).slice(1, -2);
    expect([1, 3, 7, 13].map(count)).toEqual(['(15)', '(6600)', '(600)', '(2880)']);
    expect(rowsOf(command('R1', '13:V.0(3;2026-01-31,12:00:00;;)'))).toHaveLength(1);
  });

  it('of the month have counters and the largest hour and day within it', () => {
    const { command } = programming({ installedAt: undefined });
    const [previous = [], latest = []] = rowsOf(command('R1', '1:V.0(3;2025-12-01,00:00:00;;)'));
    expect(latest).toHaveLength(20);
    expect(latest[2]).toBe('2026-01-01,06:00:00');
    const consumed = Number(latest[3]) - Number(previous[3]);
    const [hour, day] = [Number(latest[5]), Number(latest[8])];
    expect(hour).toBeGreaterThan(consumed / 744);
    expect(day).toBeGreaterThan(consumed / 31);
    expect(day).toBeLessThan(24 * hour);
    const hours = rowsOf(command('R1', '3:V.0(3;2025-12-01,06:00:00;2026-01-01,06:00:00;)')).map((row) =>
      Number(row[3]),
    );
    const differences = hours.slice(1).map((volume, i) => volume - (hours[i] ?? 0));
    expect(Math.max(...differences)).toBeCloseTo(hour, 4);
  });
});

describe('scripted faults', () => {
  const conversation = `/?!\r\n\x06061\r\n${frame(SOH, `R1${STX}1:407.0(1)`, ETX).toString('latin1')}`;
  const transmissions = (fault?: MeterFault) => {
    const { session } = meterAtNoon();
    const script = new FaultScript(fault);
    return session.receive(Buffer.from(conversation, 'latin1'), NOON).map((made) => script.transmit(made));
  };
  const texts = (fault?: MeterFault) => transmissions(fault).map((sent) => sent?.bytes.toString('latin1'));
  const [identification, opening, value] = texts();

  it('leave a sound meter alone', () => {
    expect(value).toBe(answer('1:407.0(0)'));
  });

  it.each<[MeterFault, (string | undefined)[]]>([
    [{ kind: 'silent' }, [undefined, undefined, undefined]],
    [{ kind: 'silent-after-sign-on' }, [identification, opening, undefined]],
    [{ kind: 'hang-up', afterBytes: 20 }, [identification, opening?.slice(0, 20 - (identification?.length ?? 0)), '']],
    [{ kind: 'nak' }, [identification, opening, '\x15']],
    [{ kind: 'bad-bcc', times: 1 }, [identification, opening, answer('1:407.0(0)').slice(0, -1) + bccChanged(value)]],
    [{ kind: 'bad-bcc', times: 0 }, [identification, opening, value]],
    [{ kind: 'noise' }, [identification, opening, value].map((text) => `\x7fU*~U${text}`)],
  ])('change what is sent: %o', (fault, expected) => {
    expect(texts(fault)).toEqual(expected);
  });

  it('hang up exactly once the bytes are out, and delay every answer', () => {
    expect(transmissions({ kind: 'hang-up', afterBytes: 20 }).map((sent) => sent?.hangUp)).toEqual([false, true, true]);
    expect(transmissions({ kind: 'delay', ms: 300 }).map((sent) => sent?.delayMs)).toEqual([300, 300, 300]);
  });
});

function bccChanged(text = ''): string {
  return String.fromCharCode((text.at(-1) ?? '').charCodeAt(0) ^ 1);
}
