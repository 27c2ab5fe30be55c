import { describe, expect, it } from 'vitest';
import { Iec62056Line } from '../../src/execution/iec62056-line.js';
import { readBlocks, readText, writeText } from '../../src/protocols/iec62056-21/programming-mode.js';
import { withEvenParity } from '../../src/protocols/iec62056-21/parity.js';
import { enterProgrammingMode, signOn } from '../../src/protocols/iec62056-21/sign-on.js';
import {
  ACK,
  block,
  bytes,
  command,
  damaged,
  NAK,
  partialBlock,
  script,
  ScriptedLink,
  SILENCE,
  type Reply,
} from '../support/scripted-link.js';

function lineTo(answers: Record<string, readonly Reply[]>): { line: Iec62056Line; link: ScriptedLink } {
  const link = new ScriptedLink(script(answers));
  return { line: new Iec62056Line(link, { replyTimeoutMs: 1000 }), link };
}

describe('sign-on', () => {
  it('repeats the offered rate in the option select and takes the operand of P0', async () => {
    const { line, link } = lineTo({
      '/?00042137!': [[bytes('/Els6\\2EK280\r\n')]],
      'select 061': [[command('P0', '(0A1B)')]],
    });
    const identification = await line.run(signOn('00042137'));
    expect(await line.run(enterProgrammingMode(identification))).toBe('(0A1B)');
    expect(link.sent).toEqual(['/?00042137!', 'select 061']);
  });

  it('asks three times, then says TIMEOUT in the sign-on phase', async () => {
    const { line, link } = lineTo({});
    await expect(line.run(signOn())).rejects.toMatchObject({ code: 'TIMEOUT', phase: 'sign-on' });
    expect(link.sent).toEqual(['/?!', '/?!', '/?!']);
  });

  it('skips noise and its own echo', async () => {
    const { line } = lineTo({ '/?!': [[bytes('\0\0/?!\r\n'), bytes('/Els'), bytes('6EK270\r\n')]] });
    expect((await line.run(signOn())).ident).toBe('EK270');
    expect(line.discardedBytes).toBe(7);
  });

  it('speaks with even parity through an eight-bit pipe', async () => {
    const request = withEvenParity(bytes('/?!\r\n'));
    const link = new ScriptedLink((message) =>
      message === Buffer.from(request).toString('latin1').trim() ? [withEvenParity(bytes('/Els6EK270\r\n'))] : SILENCE,
    );
    const line = new Iec62056Line(link, { replyTimeoutMs: 1000, parityBit: true });
    expect((await line.run(signOn())).manufacturer).toBe('Els');
  });

  it('says GARBAGE of a line that only makes noise', async () => {
    const endless = lineTo({ '/?!': [[new Uint8Array(5000).fill(0x55)]] });
    await expect(endless.line.run(signOn())).rejects.toMatchObject({ code: 'GARBAGE', phase: 'sign-on' });
    const short = lineTo({ '/?!': [[bytes('what?')]] });
    await expect(short.line.run(signOn())).rejects.toMatchObject({ code: 'GARBAGE' });
  });
});

describe('reading', () => {
  const read = 'R1 2:302.0(1)';
  const value = block('2:302.0(1*m3)');
  const readIt = () => readText('read', '2:302.0(1)');

  it('asks for a repetition of a damaged answer', async () => {
    const { line, link } = lineTo({ [read]: [[damaged(value)]], NAK: [[value]] });
    expect(await line.run(readIt())).toBe('2:302.0(1*m3)');
    expect(link.sent).toEqual([read, 'NAK']);
  });

  it('says CHECKSUM after the third damaged answer', async () => {
    const { line } = lineTo({ [read]: [[damaged(value)]], NAK: [[damaged(value)]] });
    await expect(line.run(readIt())).rejects.toMatchObject({ code: 'CHECKSUM', phase: 'read' });
    expect(line.failure?.code).toBe('CHECKSUM');
  });

  it('repeats the question after silence and after NAK', async () => {
    const { line, link } = lineTo({ [read]: [SILENCE, [NAK], [value]] });
    expect(await line.run(readIt())).toBe('2:302.0(1*m3)');
    expect(link.sent).toEqual([read, read, read]);
  });

  it('asks again with NAK when an answer breaks off', async () => {
    const { line, link } = lineTo({ [read]: [[value.subarray(0, 9)]], NAK: [[value]] });
    expect(await line.run(readIt())).toBe('2:302.0(1*m3)');
    expect(link.sent).toEqual([read, 'NAK']);
  });

  it('is refused by a meter that keeps saying NAK, and the line stays usable', async () => {
    const { line } = lineTo({ [read]: [[NAK]] });
    await expect(line.run(readIt())).rejects.toMatchObject({ code: 'REFUSED' });
    expect(line.failure).toBeUndefined();
  });

  it('skips frames that are no answer: foreign commands and late answers', async () => {
    const { line } = lineTo({ [read]: [[command('R1', '1:400.0(1)'), ACK, block('9:9(9)'), value]] });
    const text = await line.run(readText('read', '2:302.0(1)', (answer) => answer.startsWith('2:302')));
    expect(text).toBe('2:302.0(1*m3)');
  });

  it('ends when the meter breaks the session off or hangs up', async () => {
    const brk = lineTo({ [read]: [[bytes('\x01B0\x03q')]] });
    await expect(brk.line.run(readIt())).rejects.toMatchObject({
      code: 'PROTOCOL',
      message: 'the meter ended the session',
    });
    const hangUp = lineTo({ [read]: [[value.subarray(0, 4), 'hang-up']] });
    await expect(hangUp.line.run(readIt())).rejects.toMatchObject({ code: 'CONNECTION_LOST', phase: 'read' });
  });
});

describe('partial blocks', () => {
  const read = 'R3 3:V.0(;;;10)';

  async function blocksOf(
    answers: Record<string, readonly Reply[]>,
  ): Promise<{ blocks: string[]; sent: string[]; error?: unknown }> {
    const { line, link } = lineTo(answers);
    const blocks: string[] = [];
    const run = line.run(readBlocks('read', '3:V.0(;;;10)', (text) => blocks.push(text)));
    const error: unknown = await run.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    return { blocks, sent: link.sent, error };
  }

  it('acknowledges each block but the last', async () => {
    const { blocks, sent } = await blocksOf({
      [read]: [[partialBlock('(1)')]],
      ACK: [[partialBlock('(2)')], [block('(3)')]],
    });
    expect(blocks).toEqual(['(1)', '(2)', '(3)']);
    expect(sent).toEqual([read, 'ACK', 'ACK']);
  });

  it('asks with NAK, not with a second ACK, for a block that did not come', async () => {
    const { blocks, sent } = await blocksOf({ [read]: [[partialBlock('(1)')]], ACK: [SILENCE], NAK: [[block('(2)')]] });
    expect(blocks).toEqual(['(1)', '(2)']);
    expect(sent).toEqual([read, 'ACK', 'NAK']);
  });

  it('leaves the blocks that came before the line broke', async () => {
    const { blocks, error } = await blocksOf({ [read]: [[partialBlock('(1)')]], ACK: [[bytes('\x02(2'), 'hang-up']] });
    expect(blocks).toEqual(['(1)']);
    expect(error).toMatchObject({ code: 'CONNECTION_LOST' });
  });
});

describe('writing', () => {
  const write = 'W1 1:400.0(x)';

  it('is done with ACK and refused with NAK or an error telegram', async () => {
    const writeIt = (reply: Reply) => lineTo({ [write]: [reply] }).line.run(writeText('write', '1:400.0(x)'));
    expect(await writeIt([ACK])).toBeUndefined();
    expect(await writeIt([NAK])).toEqual({ refusal: '' });
    expect(await writeIt([block('(#0017)')])).toEqual({ refusal: '(#0017)' });
  });

  it('is never repeated, neither after silence nor after NAK', async () => {
    for (const reply of [SILENCE, [NAK]]) {
      const { line, link } = lineTo({ [write]: [reply] });
      await line.run(writeText('write', '1:400.0(x)')).catch(() => undefined);
      expect(link.sent).toEqual([write]);
    }
  });
});
