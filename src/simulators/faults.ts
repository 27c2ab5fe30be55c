import type { ArchiveNumber } from './archive-memory.js';
import type { Distribution } from './distribution.js';
import { NAK } from './lis200-frames.js';
import type { Answer } from './lis200-session.js';

/** What is wrong with a meter, on every connection in the same way. At most one fault per meter. */
export type MeterFault =
  /** Nothing listens on the port. On a shared port this hits every meter behind it. */
  | { kind: 'refuse' }
  /** Somebody else is reading: connections are accepted and hung up at once. Hits a shared port as a whole. */
  | { kind: 'busy' }
  /** Accepts the connection and never says anything. */
  | { kind: 'silent' }
  /** Opens the session, then answers no command. */
  | { kind: 'silent-after-sign-on' }
  /** Hangs up when it has sent this many bytes, be it in the middle of a frame. */
  | { kind: 'hang-up'; afterBytes: number }
  /** Sends this many bytes and then no more, be it in the middle of a frame, but keeps the connection. */
  | { kind: 'half-open'; afterBytes: number }
  /** Line noise before each answer, which is whole otherwise; with `after` behind it too, where no question is open. */
  | { kind: 'noise'; after?: boolean }
  /** Nothing but garbage instead of each answer. */
  | { kind: 'garbage' }
  /** Wrong BCC on the first `times` data frames of a connection; `Infinity` for all. A repeat counts as a frame. */
  | { kind: 'bad-bcc'; times: number }
  /** Another device than the registered one: tells this serial number. */
  | { kind: 'wrong-identity'; serialNumber: string }
  /** Each answer comes this much later, in milliseconds. */
  | { kind: 'delay'; ms: Distribution }
  /** Refuses every command with NAK. */
  | { kind: 'nak' }
  /** Its locks open with this code, which is not the one it is registered with. */
  | { kind: 'wrong-password'; password: string }
  /** The clock is ahead by `offsetSeconds` at the start, and gains `ppm` microseconds a second. Both may be negative. */
  | { kind: 'clock'; offsetSeconds?: number; ppm?: number }
  /**
   * Lost the rows with `from` ≤ time ≤ `to` (milliseconds since the epoch), their order numbers with them.
   * @default all archives
   */
  | { kind: 'archive-gap'; from: number; to: number; archive?: ArchiveNumber }
  /** Restarted at these times (milliseconds since the epoch): a row with event 0x3002 each, between those of archive 3. */
  | { kind: 'power-up'; at: readonly number[] }
  /** Small memory: each archive keeps this many rows and overwrites the oldest. */
  | { kind: 'archive-wrap'; rows: number };

/** What goes out for an answer. */
export interface Transmission {
  bytes: Buffer;
  delayMs: number;
  hangUp: boolean;
}

/** No control character of the protocol, no letter of it either. */
const NOISE = Buffer.from([0x7f, 0x55, 0x2a, 0x7e, 0x55]);

/** The fault of one meter on one connection. */
export class FaultScript {
  private sent = 0;
  private spoiled = 0;

  /** @param delayMs tells what the next answer is late by; default: none, or what a constant `delay` says */
  constructor(
    private readonly fault: MeterFault | undefined,
    private readonly delayMs: () => number = () =>
      fault?.kind === 'delay' && typeof fault.ms === 'number' ? fault.ms : 0,
  ) {}

  /** What is sent for `answer`: undefined is silence. */
  transmit(answer: Answer): Transmission | undefined {
    const bytes = this.alter(answer);
    if (!bytes) return undefined;
    const cut = this.fault?.kind === 'hang-up' || this.fault?.kind === 'half-open' ? this.fault : undefined;
    const left = cut ? cut.afterBytes - this.sent : Infinity;
    this.sent += bytes.length;
    return {
      bytes: bytes.subarray(0, Math.max(0, Math.min(left, bytes.length))),
      delayMs: this.delayMs(),
      hangUp: cut?.kind === 'hang-up' && bytes.length >= left,
    };
  }

  private alter({ kind, bytes }: Answer): Buffer | undefined {
    const afterSignOn = kind !== 'sign-on' && kind !== 'opening';
    switch (this.fault?.kind) {
      case 'silent':
        return undefined;
      case 'silent-after-sign-on':
        return afterSignOn ? undefined : bytes;
      case 'noise':
        return Buffer.concat([NOISE, bytes, ...(this.fault.after ? [NOISE] : [])]);
      case 'garbage':
        return Buffer.alloc(bytes.length, NOISE);
      case 'bad-bcc':
        if (kind !== 'data' || this.spoiled >= this.fault.times) return bytes;
        this.spoiled++;
        return withWrongBcc(bytes);
      case 'nak':
        return afterSignOn ? Buffer.from(NAK) : bytes;
      default:
        return bytes;
    }
  }
}

function withWrongBcc(bytes: Buffer): Buffer {
  const spoiled = Buffer.from(bytes);
  spoiled[spoiled.length - 1] = (bytes.at(-1) ?? 0) ^ 0x01;
  return spoiled;
}
