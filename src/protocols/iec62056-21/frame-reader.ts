import { decodeFrame, type DiscardReason, type Frame } from './frame.js';

export type FrameEvent =
  { kind: 'frame'; frame: Frame; bytes: number } | { kind: 'discard'; bytes: number; reason: DiscardReason };

/** Finds frames in a byte stream, however the stream is cut. Holds at most one frame and the bytes last pushed. */
export class FrameReader {
  #pending: Uint8Array = new Uint8Array();

  /** `parityBit`: the line is an eight-bit pipe and bit 7 of each character is its even-parity bit (clause 5.2). */
  constructor(private readonly options: { parityBit: boolean } = { parityBit: false }) {}

  /** Bytes of a frame that has not ended yet. */
  get pendingBytes(): number {
    return this.#pending.length;
  }

  push(bytes: Uint8Array): void {
    const received = this.options.parityBit ? bytes.map((byte) => byte & 0x7f) : bytes;
    this.#pending = this.#pending.length === 0 ? received : Buffer.concat([this.#pending, received]);
  }

  /** The next frame or discarded stretch, or undefined when more bytes are needed. */
  next(): FrameEvent | undefined {
    const decoded = decodeFrame(this.#pending);
    if (decoded.kind === 'need') return undefined;
    this.#pending = this.#pending.subarray(decoded.bytes);
    return decoded;
  }

  /** Forgets what is pending: on a half-duplex line bytes that came before a question cannot answer it. */
  clear(): void {
    this.#pending = new Uint8Array();
  }
}
