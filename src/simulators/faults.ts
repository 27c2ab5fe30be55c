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
  /** Line noise before each answer, which is whole otherwise. */
  | { kind: 'noise' }
  /** Nothing but garbage instead of each answer. */
  | { kind: 'garbage' }
  /** Wrong BCC on the first `times` data frames of a connection; `Infinity` for all. A repeat counts as a frame. */
  | { kind: 'bad-bcc'; times: number }
  /** Another device than the registered one: tells this serial number. */
  | { kind: 'wrong-identity'; serialNumber: string }
  /** Each answer comes this much later. */
  | { kind: 'delay'; ms: number }
  /** Refuses every command with NAK. */
  | { kind: 'nak' };

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

  constructor(private readonly fault: MeterFault | undefined) {}

  /** What is sent for `answer`: undefined is silence. */
  transmit(answer: Answer): Transmission | undefined {
    const bytes = this.alter(answer);
    if (!bytes) return undefined;
    const left = this.fault?.kind === 'hang-up' ? this.fault.afterBytes - this.sent : Infinity;
    this.sent += bytes.length;
    return {
      bytes: bytes.subarray(0, Math.max(0, Math.min(left, bytes.length))),
      delayMs: this.fault?.kind === 'delay' ? this.fault.ms : 0,
      hangUp: bytes.length >= left,
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
        return Buffer.concat([NOISE, bytes]);
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
