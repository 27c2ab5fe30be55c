import type { MeterError } from '../errors.js';
import { BREAK_MESSAGE } from '../protocols/iec62056-21/commands.js';
import { FrameReader } from '../protocols/iec62056-21/frame-reader.js';
import { withEvenParity } from '../protocols/iec62056-21/parity.js';
import type { Procedure } from '../protocols/iec62056-21/procedure.js';
import type { Link } from '../transports/link.js';
import { Exchange, LineFailure } from './iec62056-exchange.js';

export interface LineOptions {
  /** Longest silence while an answer is awaited, in milliseconds. */
  replyTimeoutMs: number;
  /** The gateway is an eight-bit pipe: bit 7 carries even parity both ways. @default false */
  parityBit?: boolean;
}

/** Runs IEC 62056-21 procedures over a link, one after the other. */
export class Iec62056Line {
  #failure: MeterError | undefined;
  #discardedBytes = 0;
  readonly #link: Link;
  readonly #reader: FrameReader;
  readonly #replyTimeoutMs: number;

  constructor(link: Link, { replyTimeoutMs, parityBit = false }: LineOptions) {
    this.#link = parityBit ? withParity(link) : link;
    this.#reader = new FrameReader({ parityBit });
    this.#replyTimeoutMs = replyTimeoutMs;
  }

  /** The first failure of the line itself. Where it stands in the protocol is then unknown: the session is over. */
  get failure(): MeterError | undefined {
    return this.#failure;
  }

  /** Bytes received so far that were no part of an answer. */
  get discardedBytes(): number {
    return this.#discardedBytes;
  }

  /**
   * Runs `procedure` to its end. Errors of the line are thrown into it and, like its own, come out as rejection: line
   * errors are `TIMEOUT`, `CHECKSUM`, `GARBAGE`, `PROTOCOL` (the meter ended the session) and those of the link.
   */
  async run<T>(procedure: Procedure<T>): Promise<T> {
    let turn = procedure.next();
    while (!turn.done) {
      const exchange = new Exchange(turn.value, this.#link, this.#reader, this.#replyTimeoutMs);
      try {
        turn = procedure.next(await exchange.perform());
      } catch (error) {
        if (!(error instanceof LineFailure)) throw error;
        this.#failure ??= error.reason;
        turn = procedure.throw(error.reason);
      } finally {
        this.#discardedBytes += exchange.garbage;
      }
    }
    return turn.value;
  }

  /** Ends the session, best effort: there is no answer to wait for, and a dead line needs no goodbye. */
  async sendBreak(): Promise<void> {
    await this.#link.send(BREAK_MESSAGE).catch(() => undefined);
  }
}

function withParity(link: Link): Link {
  return {
    send: (bytes) => link.send(withEvenParity(bytes)),
    receive: (timeoutMs) => link.receive(timeoutMs),
    destroy: (reason) => link.destroy(reason),
  };
}
