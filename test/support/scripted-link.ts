import { MeterError } from '../../src/errors.js';
import type { Link } from '../../src/transports/link.js';

/** What a scripted meter does after one message: chunks of bytes, then silence, or it hangs up. */
export type Reply = readonly (Uint8Array | 'hang-up')[];

/** Block check character, computed here again so that the tests do not lean on the code they test. */
function check(body: Uint8Array): number {
  return body.reduce((sum, byte) => sum ^ byte, 0) & 0x7f;
}

function framed(start: number, body: string): Buffer {
  const bytes = Buffer.from(body, 'latin1');
  return Buffer.concat([Buffer.of(start), bytes, Buffer.of(check(bytes))]);
}

/** `STX text ETX BCC`. */
export const block = (text: string): Buffer => framed(0x02, `${text}\x03`);
/** `STX text EOT BCC`. */
export const partialBlock = (text: string): Buffer => framed(0x02, `${text}\x04`);
/** `SOH command STX text ETX BCC`. */
export const command = (name: string, text: string): Buffer => framed(0x01, `${name}\x02${text}\x03`);
export const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
/** The same frame with a wrong block check character. */
export function damaged(frame: Uint8Array): Buffer {
  const copy = Buffer.from(frame);
  copy[copy.length - 1]! ^= 0x01;
  return copy;
}
export const ACK = Buffer.of(0x06);
export const NAK = Buffer.of(0x15);
export const SILENCE: Reply = [];

/** A link whose other side answers each message at once, without sockets. Silence is a time-out without the wait. */
export class ScriptedLink implements Link {
  /** Every message sent, readable: `/?!`, `R1 1:400.0(1)`, `ACK`, `NAK`, `B0`. */
  readonly sent: string[] = [];
  #arriving: (Uint8Array | 'hang-up')[] = [];

  constructor(private readonly answer: (message: string) => Reply) {}

  async send(message: Uint8Array): Promise<void> {
    const text = readable(message);
    this.sent.push(text);
    this.#arriving.push(...this.answer(text));
  }

  async receive(): Promise<Uint8Array> {
    const next = this.#arriving[0];
    if (next === undefined) throw new MeterError('TIMEOUT', 'silence');
    if (next === 'hang-up') throw new MeterError('CONNECTION_LOST', 'the meter hung up');
    this.#arriving.shift();
    return next;
  }

  destroy(): void {
    this.#arriving = ['hang-up'];
  }
}

/** Answers by message; the replies to one message are used up in order, and the last one stays. */
export function script(answers: Readonly<Record<string, readonly Reply[]>>): (message: string) => Reply {
  const uses = new Map<string, number>();
  return (message) => {
    const replies = answers[message] ?? [];
    const use = uses.get(message) ?? 0;
    uses.set(message, use + 1);
    return replies[Math.min(use, replies.length - 1)] ?? SILENCE;
  };
}

function readable(message: Uint8Array): string {
  const text = Buffer.from(message).toString('latin1');
  if (text === '\x06') return 'ACK';
  if (text === '\x15') return 'NAK';
  if (text.startsWith('\x06')) return `select ${text.slice(1, 4)}`;
  // SOH, command, STX, text, ETX, BCC
  if (text.startsWith('\x01')) return text.slice(1, -2).replace('\x02', ' ');
  return text.trim();
}
