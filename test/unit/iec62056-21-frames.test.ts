import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bcc } from '../../src/protocols/iec62056-21/bcc.js';
import {
  BREAK_MESSAGE,
  encodeCommand,
  encodeOptionSelect,
  encodeRequest,
} from '../../src/protocols/iec62056-21/commands.js';
import { formatDataSet, parseDataBlock, parseDataLine } from '../../src/protocols/iec62056-21/data-set.js';
import { decodeFrame, MAX_FRAME_BYTES } from '../../src/protocols/iec62056-21/frame.js';
import { FrameReader, type FrameEvent } from '../../src/protocols/iec62056-21/frame-reader.js';
import { parseIdentification } from '../../src/protocols/iec62056-21/identification.js';
import { withEvenParity } from '../../src/protocols/iec62056-21/parity.js';
import { ACK, block, bytes, command, damaged, NAK, partialBlock } from '../support/scripted-link.js';

/** Bytes written as hexadecimal with quoted text, such as `02 "(#0004)" 03 25`. */
function hex(text: string): Buffer {
  return Buffer.concat(
    (text.match(/"[^"]*"|[0-9A-F]{2}/g) ?? []).map((part) =>
      part.startsWith('"') ? bytes(part.slice(1, -1)) : Buffer.from(part, 'hex'),
    ),
  );
}

function framesOf(chunks: readonly Uint8Array[]): { frames: unknown[]; discarded: number } {
  const reader = new FrameReader();
  const frames: unknown[] = [];
  let discarded = 0;
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let event: FrameEvent | undefined; (event = reader.next());) {
      if (event.kind === 'frame') frames.push(event.frame);
      else discarded += event.bytes;
    }
  }
  return { frames, discarded };
}

// The golden bytes were computed by hand from the rule of the standard: XOR from behind SOH or STX through ETX or EOT.
describe('messages of the host', () => {
  it.each([
    ['B0', undefined, '01 42 30 03 71'],
    ['R1', '1.8.1()', '01 52 31 02 "1.8.1()" 03 5B'],
    ['R1', '1:400.0(1)', '01 52 31 02 "1:400.0(1)" 03 73'],
    ['R1', '3:170.0(1)', '01 52 31 02 "3:170.0(1)" 03 73'],
    ['R1', '3:V.4(3;;;)', '01 52 31 02 "3:V.4(3;;;)" 03 2E'],
    ['R3', '3:V.0(3;2026-01-31,08:00:00;;2)', '01 52 33 02 "3:V.0(3;2026-01-31,08:00:00;;2)" 03 3B'],
    ['W1', '0.9.1(120500)', '01 57 31 02 "0.9.1(120500)" 03 58'],
    ['W1', '3:171.0(00000000)', '01 57 31 02 "3:171.0(00000000)" 03 46'],
    ['P1', '(12345678)', '01 50 31 02 "(12345678)" 03 69'],
  ] as const)('encodes %s %s', (name, dataSet, expected) => {
    expect(Buffer.from(encodeCommand(name, dataSet))).toEqual(hex(expected));
  });

  it('encodes request, option select and break', () => {
    expect(Buffer.from(encodeRequest())).toEqual(hex('2F 3F 21 0D 0A'));
    expect(Buffer.from(encodeRequest('00042137'))).toEqual(hex('2F 3F "00042137" 21 0D 0A'));
    expect(Buffer.from(encodeOptionSelect('5', 'programming'))).toEqual(hex('06 30 35 31 0D 0A'));
    expect(Buffer.from(encodeOptionSelect('5', 'readout'))).toEqual(hex('06 30 35 30 0D 0A'));
    expect(Buffer.from(BREAK_MESSAGE)).toEqual(hex('01 42 30 03 71'));
  });

  it('refuses an address that would change the request', () => {
    expect(() => encodeRequest('1!\r\n')).toThrow(RangeError);
    expect(() => encodeRequest('1'.repeat(33))).toThrow(RangeError);
  });

  it('sets even parity and reads it back', () => {
    expect([...withEvenParity(bytes('ab1'))]).toEqual([0xe1, 0xe2, 0xb1]);
    const reader = new FrameReader({ parityBit: true });
    reader.push(withEvenParity(block('1:400.0(1)')));
    expect(reader.next()).toMatchObject({ frame: { kind: 'block', text: '1:400.0(1)' } });
  });
});

describe('frames of the meter', () => {
  const identification = bytes('/Els6\\2EK280\r\n');
  const stream = Buffer.concat([
    bytes('\0\0+++ noise'),
    identification,
    command('P0', '(0A1B)'),
    ACK,
    partialBlock('(1)(2)\r\n(3)(4)'),
    NAK,
    damaged(block('(5)')),
    block('2:302.0(884301.5120*m3)'),
    block(''),
  ]);

  it('finds the same frames and noise wherever the stream is cut', () => {
    const whole = framesOf([stream]);
    expect(whole.frames).toEqual([
      { kind: 'identification', text: 'Els6\\2EK280' },
      { kind: 'command', command: 'P0', text: '(0A1B)' },
      { kind: 'ack' },
      { kind: 'block', text: '(1)(2)\r\n(3)(4)', partial: true },
      { kind: 'nak' },
      { kind: 'block', text: '2:302.0(884301.5120*m3)', partial: false },
      { kind: 'block', text: '', partial: false },
    ]);
    expect(whole.discarded).toBe('\0\0+++ noise'.length + block('(5)').length);
    for (let cut = 0; cut <= stream.length; cut++) {
      expect(framesOf([stream.subarray(0, cut), stream.subarray(cut)])).toEqual(whole);
    }
    expect(framesOf([...stream].map((byte) => Uint8Array.of(byte)))).toEqual(whole);
  });

  it.each([0x00, 0x03, 0x04, 0x06, 0x15, 0x2f])('takes a block check character of %i by its position', (value) => {
    const prefix = [...bytes('(1)')];
    const body = [...prefix, bcc(Uint8Array.of(...prefix, 0x03)) ^ value];
    // The added character makes the sum come out as `value`; keep it out of the control characters.
    const text = body.at(-1)! < 0x20 ? [...prefix, 0x40, body.at(-1)! ^ 0x40] : body;
    const frame = Uint8Array.of(0x02, ...text, 0x03, bcc(Uint8Array.of(...text, 0x03)));
    expect(frame.at(-1)).toBe(value);
    expect(framesOf([frame, block('(next)')]).frames).toHaveLength(2);
    expect(framesOf([frame, block('(next)')]).discarded).toBe(0);
  });

  it('reads the two-period block whose block check character is NUL', () => {
    expect(decodeFrame(hex('02 "(0.130)(0.251)" 0D 0A 03 00'))).toMatchObject({ kind: 'frame' });
  });

  it('says corrupt of a bad block and incomplete of a short one', () => {
    expect(decodeFrame(damaged(block('(1)')))).toEqual({ kind: 'discard', bytes: 6, reason: 'checksum' });
    expect(decodeFrame(block('(1)').subarray(0, 5))).toMatchObject({ kind: 'need' });
  });

  it('gives up a block that does not end', () => {
    const endless = Buffer.alloc(MAX_FRAME_BYTES, 0x41);
    endless[0] = 0x02;
    expect(decodeFrame(endless.subarray(0, -1))).toMatchObject({ kind: 'need' });
    expect(decodeFrame(endless)).toEqual({ kind: 'discard', bytes: MAX_FRAME_BYTES, reason: 'oversize' });
  });

  it('does not take a request for an identification', () => {
    expect(framesOf([bytes('/?!\r\n'), identification]).frames).toEqual([
      { kind: 'identification', text: 'Els6\\2EK280' },
    ]);
  });

  it('finds a frame behind any bytes that start none, and never throws on any input', () => {
    const harmless = fc
      .uint8Array()
      .map((noise) => noise.filter((byte) => ![0x01, 0x02, 0x06, 0x15, 0x2f].includes(byte)));
    fc.assert(
      fc.property(harmless, (noise) => {
        expect(framesOf([noise, block('(1)')])).toEqual({
          frames: [{ kind: 'block', text: '(1)', partial: false }],
          discarded: noise.length,
        });
      }),
    );
    fc.assert(fc.property(fc.uint8Array(), (anything) => void framesOf([anything])));
  });

  it('takes an identification apart', () => {
    expect(parseIdentification('Els6\\2EK280')).toEqual({
      manufacturer: 'Els',
      baudRate: '6',
      capabilities: ['2'],
      ident: 'EK280',
    });
    expect(parseIdentification('Els6EK270')).toMatchObject({ baudRate: '6', capabilities: [], ident: 'EK270' });
  });
});

describe('data sets', () => {
  it('reads a value, its unit and the sets that follow without address', () => {
    expect(parseDataLine('1.8.0(004711.25*kWh)')).toEqual([{ address: '1.8.0', value: '004711.25', unit: 'kWh' }]);
    expect(parseDataLine('a(1*u)b(2)(3)')).toEqual([
      { address: 'a', value: '1', unit: 'u' },
      { address: 'b', value: '2' },
      { address: 'b', value: '3' },
    ]);
    expect(parseDataLine('()')).toEqual([{ address: '', value: '' }]);
    expect(parseDataLine('(a*b*c)')).toEqual([{ address: '', value: 'a*b', unit: 'c' }]);
  });

  it('continues the address of the line before and skips what is no set', () => {
    expect(parseDataBlock('P.01(1)\r\n(2)\r\n!\r\n')).toEqual([
      [{ address: 'P.01', value: '1' }],
      [{ address: 'P.01', value: '2' }],
    ]);
    expect(parseDataLine('no set (cut')).toEqual([]);
  });

  it('reads back whatever it can write', () => {
    const part = fc.string({ unit: 'grapheme-ascii' }).map((text) => text.replace(/[()*/!]/g, ''));
    fc.assert(
      fc.property(part, part, fc.option(part, { nil: undefined }), (address, value, unit) => {
        const set = { address: address.trim(), value, ...(unit === undefined ? {} : { unit }) };
        expect(parseDataLine(formatDataSet(set))).toEqual([set]);
      }),
    );
  });

  it('refuses text that would end the set early', () => {
    for (const value of ['1)', '(', '1*2', 'a/b', '!', '\x03', '\x7f']) {
      expect(() => formatDataSet({ address: '1:400.0', value })).toThrow(RangeError);
    }
  });
});
