import { MeterError, messageOf, type MeterErrorCode } from '../errors.js';
import { NAK_MESSAGE } from '../protocols/iec62056-21/commands.js';
import type { Frame } from '../protocols/iec62056-21/frame.js';
import type { FrameEvent, FrameReader } from '../protocols/iec62056-21/frame-reader.js';
import type { Step } from '../protocols/iec62056-21/procedure.js';
import type { Link } from '../transports/link.js';

/** Repetitions after silence, after a NAK, and of an answer with a bad BCC: two each, so three tries in all. */
const MAX_REPEATS = 2;
/** Bytes skipped while waiting for one answer, echoes and foreign frames included. */
const MAX_GARBAGE_BYTES = 4096;

/** An error of the line, set apart from those that a procedure throws itself. */
export class LineFailure extends Error {
  constructor(readonly reason: MeterError) {
    super(reason.message);
  }
}

/** Carries out one step of a procedure: sends, waits for the answer, repeats where that is safe. */
export class Exchange {
  /** Bytes that were no part of the answer. */
  garbage = 0;
  #silences = 0;
  #naks = 0;
  #badChecks = 0;

  constructor(
    private readonly step: Step,
    private readonly link: Link,
    private readonly reader: FrameReader,
    private readonly replyTimeoutMs: number,
  ) {}

  /** The frame that answers the step, or the NAK that repetitions did not cure. Throws `LineFailure`. */
  async perform(): Promise<Frame> {
    // Half duplex: what came before the question cannot answer it.
    this.#skip(this.reader.pendingBytes);
    this.reader.clear();
    await this.#send(this.step.send);
    for (;;) {
      const event = this.reader.next();
      const frame = event ? await this.#take(event) : await this.#receive();
      if (frame) return frame;
    }
  }

  async #take(event: FrameEvent): Promise<Frame | undefined> {
    if (event.kind === 'discard') {
      if (event.reason === 'checksum') await this.#askAgain();
      else this.#skip(event.bytes);
      return undefined;
    }
    const { frame } = event;
    if (frame.kind === 'nak') {
      if (this.step.afterSilence === undefined || this.#naks++ === MAX_REPEATS) return frame;
      await this.#send(this.step.send);
      return undefined;
    }
    if (this.step.answers(frame)) return frame;
    if (frame.kind === 'command' && frame.command === 'B0')
      throw this.#failure('PROTOCOL', 'the meter ended the session');
    this.#skip(event.bytes);
    return undefined;
  }

  async #receive(): Promise<undefined> {
    try {
      this.reader.push(await this.link.receive(this.replyTimeoutMs));
    } catch (error) {
      if (!(error instanceof MeterError && error.code === 'TIMEOUT')) throw this.#linkFailure(error);
      await this.#repeatAfterSilence();
    }
  }

  async #repeatAfterSilence(): Promise<void> {
    const cut = this.reader.pendingBytes;
    this.#skip(cut);
    this.reader.clear();
    if (this.step.afterSilence !== undefined && this.#silences++ < MAX_REPEATS) {
      return this.#send(cut > 0 ? NAK_MESSAGE : this.step.afterSilence);
    }
    if (cut > 0) throw this.#failure('TIMEOUT', `the answer broke off: nothing more within ${this.replyTimeoutMs} ms`);
    if (this.garbage > 0) throw this.#failure('GARBAGE', `the meter sent ${this.garbage} bytes that are no answer`);
    throw this.#failure('TIMEOUT', `the meter did not answer within ${this.replyTimeoutMs} ms`);
  }

  /** Asking for a repetition is safe for writes too: the meter repeats its answer, not what it did. */
  async #askAgain(): Promise<void> {
    if (this.#badChecks++ === MAX_REPEATS) {
      throw this.#failure('CHECKSUM', `${this.#badChecks} answers had a wrong block check character`);
    }
    await this.#send(NAK_MESSAGE);
  }

  #skip(bytes: number): void {
    this.garbage += bytes;
    if (this.garbage > MAX_GARBAGE_BYTES) {
      throw this.#failure('GARBAGE', `the meter sent more than ${MAX_GARBAGE_BYTES} bytes that are no answer`);
    }
  }

  async #send(bytes: Uint8Array): Promise<void> {
    try {
      await this.link.send(bytes);
    } catch (error) {
      throw this.#linkFailure(error);
    }
  }

  #failure(code: MeterErrorCode, message: string, cause?: unknown): LineFailure {
    return new LineFailure(new MeterError(code, message, this.step.phase, { cause }));
  }

  /** Errors of the link keep their code and get the phase. */
  #linkFailure(error: unknown): LineFailure {
    return this.#failure(error instanceof MeterError ? error.code : 'CONNECTION_LOST', messageOf(error), error);
  }
}
