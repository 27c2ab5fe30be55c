import type { Frame } from './frame.js';

/** One exchange with a meter: what to send, and which frame is the answer. */
export interface Step {
  /** Name of the step for errors, such as `read archive 3`. */
  phase: string;
  send: Uint8Array;
  /** Whether a frame answers `send`. Others are foreign traffic, echoes or late answers: they are skipped. */
  answers(frame: Frame): boolean;
  /**
   * What to send after silence. Absent: never repeat, because a write whose acknowledgement got lost may have been
   * carried out. A NAK is answered by sending `send` again, with the same exception.
   */
  afterSilence?: Uint8Array;
}

/**
 * A piece of a session without sockets, timers and clocks: yields steps and receives the frame that answered each. A
 * NAK that a repetition did not cure is passed in as the answer; when a step fails the error is thrown in.
 */
export type Procedure<T> = Generator<Step, T, Frame>;
