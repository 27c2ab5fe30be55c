import { ErrorTelegram } from './error-telegram.js';
import { ACK, ETX, EOT, frame, NAK, receiveCommand, SOH, STX, type Command } from './lis200-frames.js';
import type { Lis200Meter, Reply } from './lis200-meter.js';

/** Bytes from a meter. The kind tells counters and scripted faults which step of the session they belong to. */
export interface Answer {
  /** `sign-on`: identification. `opening`: P0. `refusal`: NAK or an error telegram. */
  kind: 'sign-on' | 'opening' | 'data' | 'ack' | 'refusal';
  bytes: Buffer;
}

/** More input than any command needs; what does not become one within this is dropped. */
export const INPUT_LIMIT = 1024;

const SIGN_ON = /^\/\?([0-9A-Za-z ]{0,32})!\r\n/;
/** Normal procedure, the offered 9600 baud (as `6` tells it), programming mode: IEC 62056-21, 6.4.2. */
const PROGRAMMING = `${ACK}061\r\n`;

/**
 * One connection's conversation with the meters on a line, in mode C of IEC 62056-21: sign-on, option select, then commands in
 * programming mode until B0. Bytes in, answers out; cut or joined input makes no difference. Parity bits are ignored.
 */
export class Lis200Session {
  private phase: 'idle' | 'identified' | 'programming' = 'idle';
  private input = '';
  /** Repeated when the head-end sends NAK. */
  private last: Answer | undefined;
  /** Blocks of the running answer that were not sent yet. */
  private pending: { reply: Reply & { kind: 'data' }; next: number } | undefined;
  /** The meter that signed on. */
  meter: Lis200Meter | undefined;

  constructor(private readonly meters: readonly Lis200Meter[]) {}

  /** Takes received bytes at `now` (milliseconds since the epoch) and returns what the meter sends, in order. */
  receive(bytes: Uint8Array, now: number): Answer[] {
    this.input += Buffer.from(bytes.map((byte) => byte & 0x7f)).toString('latin1');
    const answers: Answer[] = [];
    for (let before = ''; before !== `${this.phase} ${this.input.length}`;) {
      before = `${this.phase} ${this.input.length}`;
      const answer = this.step(now);
      if (answer) answers.push((this.last = answer));
    }
    if (this.input.length > INPUT_LIMIT) this.input = '';
    return answers;
  }

  /** Consumes the next message, or nothing while it is incomplete. */
  private step(now: number): Answer | undefined {
    switch (this.phase) {
      case 'idle':
        return this.signOn();
      case 'identified':
        return this.selectOption();
      case 'programming':
        return this.converse(now);
    }
  }

  /** Skips wake-up NULs and leftovers up to a request. A request for another address gets no answer at all. */
  private signOn(): Answer | undefined {
    const start = this.input.indexOf('/?');
    this.input = start >= 0 ? this.input.slice(start) : this.input.endsWith('/') ? '/' : '';
    const match = SIGN_ON.exec(this.input);
    if (!match) {
      // Malformed rather than incomplete once its line has ended: step over its start and look further.
      if (this.input.includes('\n')) this.input = this.input.slice(2);
      return undefined;
    }
    this.input = this.input.slice(match[0].length);
    const addressed = this.meters.filter((meter) => meter.answersTo(match[1] ?? ''));
    // Several meters that answer an empty address at once would only garble the line.
    if (addressed.length !== 1 || !addressed[0]) return undefined;
    this.meter = addressed[0];
    this.phase = 'identified';
    return { kind: 'sign-on', bytes: Buffer.from(this.meter.identification, 'latin1') };
  }

  /** Any other selection than programming mode at the offered rate ends the session: these meters have no data readout. */
  private selectOption(): Answer | undefined {
    if (this.input.startsWith(PROGRAMMING)) {
      this.input = this.input.slice(PROGRAMMING.length);
      this.phase = 'programming';
      return { kind: 'opening', bytes: frame(SOH, `P0${STX}(${this.meter?.serialNumber ?? ''})`, ETX) };
    }
    if (!PROGRAMMING.startsWith(this.input)) this.phase = 'idle';
    return undefined;
  }

  private converse(now: number): Answer | undefined {
    const first = this.input.charAt(0);
    if (first === SOH) {
      const received = receiveCommand(this.input);
      if (received.kind === 'incomplete') return undefined;
      this.input = this.input.slice(received.length);
      this.pending = undefined;
      return received.kind === 'bad' ? refusal(Buffer.from(NAK)) : this.obey(received.command, now);
    }
    this.input = this.input.slice(1);
    if (first === ACK) return this.nextBlock();
    if (first === NAK) return this.last;
    return undefined;
  }

  private obey(command: Command, now: number): Answer | undefined {
    if (command.code === 'B0') {
      this.phase = 'idle';
      return undefined;
    }
    try {
      const reply = this.meter?.execute(command, now);
      if (reply?.kind !== 'data') return { kind: 'ack', bytes: Buffer.from(ACK) };
      this.pending = { reply, next: 0 };
      return this.nextBlock();
    } catch (error) {
      if (error instanceof ErrorTelegram) return refusal(frame(STX, error.text, ETX));
      throw error;
    }
  }

  private nextBlock(): Answer | undefined {
    if (!this.pending) return undefined;
    const { reply, next } = this.pending;
    const isLast = next + 1 === reply.blocks;
    this.pending = isLast ? undefined : { reply, next: next + 1 };
    return { kind: 'data', bytes: frame(STX, reply.block(next), isLast ? ETX : EOT) };
  }
}

function refusal(bytes: Buffer): Answer {
  return { kind: 'refusal', bytes };
}
