import { bcc } from '../protocols/iec62056-21/bcc.js';

/** Control characters of IEC 62056-21. */
export const SOH = '\x01';
export const STX = '\x02';
export const ETX = '\x03';
export const EOT = '\x04';
export const ACK = '\x06';
export const NAK = '\x15';

/** `body` framed from its SOH or STX to the BCC. */
export function frame(start: typeof SOH | typeof STX, body: string, end: typeof ETX | typeof EOT): Buffer {
  const bytes = Buffer.from(`${start}${body}${end}\0`, 'latin1');
  bytes[bytes.length - 1] = bcc(bytes.subarray(1, -1));
  return bytes;
}

/** A head-end's command, such as `R1` with the data `1:400.0(1)`; B0 has no data. */
export interface Command {
  code: string;
  data: string;
}

export type ReceivedCommand =
  | { kind: 'command'; command: Command; length: number }
  /** The frame is whole, but its BCC or its form is wrong. */
  | { kind: 'bad'; length: number }
  | { kind: 'incomplete' };

/** Reads the command frame that `input`, which starts with SOH, begins with. The BCC is taken by position: it may be any value. */
export function receiveCommand(input: string): ReceivedCommand {
  const end = input.indexOf(ETX);
  if (end < 0 || input.length < end + 2) return { kind: 'incomplete' };
  const length = end + 2;
  const body = input.slice(1, end + 1);
  const [code = '', data = '', ...more] = body.slice(0, -1).split(STX);
  const sound = bcc(Buffer.from(body, 'latin1')) === input.charCodeAt(end + 1);
  if (!sound || !/^[A-Z]\d$/.test(code) || more.length > 0) return { kind: 'bad', length };
  return { kind: 'command', command: { code, data }, length };
}
