import { bcc } from './bcc.js';
import { ACK, CR, EOT, ETX, LF, NAK, QUESTION_MARK, SLASH, SOH, STX } from './control.js';

/** What a meter sends, as the host sees it. Text is decoded as latin-1, so that odd unit bytes survive. */
export type Frame =
  /** The line after `/`, such as `Els6\2EK280`. */
  | { kind: 'identification'; text: string }
  /** `STX text ETX|EOT BCC`; `partial` when EOT says that more blocks follow. */
  | { kind: 'block'; text: string; partial: boolean }
  /** `SOH command [STX text] ETX|EOT BCC`, such as the meter's `P0`. */
  | { kind: 'command'; command: string; text: string }
  | { kind: 'ack' }
  | { kind: 'nak' };

export type DiscardReason = 'noise' | 'checksum' | 'oversize';

export type Decoded =
  | { kind: 'frame'; frame: Frame; bytes: number }
  /** At least this many bytes are missing. */
  | { kind: 'need'; bytes: number }
  | { kind: 'discard'; bytes: number; reason: DiscardReason };

/** Longest block taken from a meter. The standard has no limit; field devices stay below 4 KiB. */
export const MAX_FRAME_BYTES = 64 * 1024;
/** The standard allows 5 + 16 characters, some makers send more. */
const MAX_IDENTIFICATION_BYTES = 80;
/** Three letters of the maker and the baud-rate character; the rest is not validated, makers write what they like. */
const IDENTIFICATION = /^[A-Za-z]{3}[\x21-\x7e]/;

/** Decodes one frame from the head of `input`. Never looks at bytes behind the frame. */
export function decodeFrame(input: Uint8Array): Decoded {
  switch (input[0]) {
    case undefined:
      return { kind: 'need', bytes: 1 };
    case ACK:
      return { kind: 'frame', frame: { kind: 'ack' }, bytes: 1 };
    case NAK:
      return { kind: 'frame', frame: { kind: 'nak' }, bytes: 1 };
    case SLASH:
      return decodeIdentification(input);
    case SOH:
    case STX:
      return decodeBlock(input);
    default:
      return noise(lengthOfNoise(input));
  }
}

function decodeIdentification(input: Uint8Array): Decoded {
  // `/?` is a request: an echo of ours or another host's.
  if (input[1] === QUESTION_MARK) return noise(1);
  const end = input.findIndex((byte, at) => at > 0 && byte < 0x20 && byte !== CR);
  if (end < 0) return input.length <= MAX_IDENTIFICATION_BYTES ? { kind: 'need', bytes: 1 } : noise(1);
  if (input[end] !== LF || end > MAX_IDENTIFICATION_BYTES) return noise(1);
  const text = latin1(input.subarray(1, end)).replace(/\r$/, '');
  if (!IDENTIFICATION.test(text)) return noise(1);
  return { kind: 'frame', frame: { kind: 'identification', text }, bytes: end + 1 };
}

function decodeBlock(input: Uint8Array): Decoded {
  const end = endOfText(input);
  if (end < 0 && input.length < MAX_FRAME_BYTES) return { kind: 'need', bytes: 2 };
  if (end < 0 || end >= MAX_FRAME_BYTES) return { kind: 'discard', bytes: MAX_FRAME_BYTES, reason: 'oversize' };
  // The BCC is the byte after ETX or EOT whatever its value: it may itself look like ETX, ACK or NUL.
  const check = input[end + 1];
  if (check === undefined) return { kind: 'need', bytes: 1 };
  const bytes = end + 2;
  if (bcc(input.subarray(1, end + 1)) !== check) return { kind: 'discard', bytes, reason: 'checksum' };

  const body = latin1(input.subarray(1, end));
  if (input[0] === STX)
    return { kind: 'frame', frame: { kind: 'block', text: body, partial: input[end] === EOT }, bytes };
  const [command = '', text = ''] = body.split('\x02', 2);
  return { kind: 'frame', frame: { kind: 'command', command, text }, bytes };
}

function endOfText(input: Uint8Array): number {
  const etx = input.indexOf(ETX);
  const eot = input.indexOf(EOT);
  return etx < 0 || eot < 0 ? Math.max(etx, eot) : Math.min(etx, eot);
}

const STARTS: ReadonlySet<number> = new Set([ACK, NAK, SLASH, SOH, STX]);

function lengthOfNoise(input: Uint8Array): number {
  const start = input.findIndex((byte) => STARTS.has(byte));
  return start < 0 ? input.length : start;
}

function noise(bytes: number): Decoded {
  return { kind: 'discard', bytes, reason: 'noise' };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
