import { bcc } from './bcc.js';
import { ACK, CR, ETX, LF, NAK, SOH, STX } from './control.js';

/** Asks for the next partial block. */
export const ACK_MESSAGE: Uint8Array = Uint8Array.of(ACK);
/** Asks for a repetition of the last message. */
export const NAK_MESSAGE: Uint8Array = Uint8Array.of(NAK);

/** Programming-mode commands in use (clause 6.3.3): password, read one, read in partial blocks, write one, break. */
export type Command = 'P1' | 'R1' | 'R3' | 'W1' | 'B0';

const ADDRESS = /^[0-9A-Za-z ]{0,32}$/;

/** Whether `text` can be the device address of a request message. */
export function isDeviceAddress(text: string): boolean {
  return ADDRESS.test(text);
}

/** Request message `/?address!`. An empty address is answered by any device. Throws `RangeError` for an impossible one. */
export function encodeRequest(address = ''): Uint8Array {
  if (!isDeviceAddress(address)) {
    throw new RangeError('a device address has up to 32 letters, digits and spaces');
  }
  return Buffer.from(`/?${address}!\r\n`, 'latin1');
}

/**
 * Acknowledgement and option select `ACK V Z Y CR LF` (clause 6.3.2) with V = 0, the normal procedure. `baudRate` is the
 * Z of the identification: meters check it also where the rate never changes, as over TCP.
 */
export function encodeOptionSelect(baudRate: string, option: 'readout' | 'programming'): Uint8Array {
  return Buffer.from([ACK, ...Buffer.from(`0${baudRate.charAt(0)}${option === 'readout' ? 0 : 1}`, 'latin1'), CR, LF]);
}

/** `SOH command [STX dataSet] ETX BCC`. `dataSet` is its complete text, such as `1:400.0(1)`. */
export function encodeCommand(command: Command, dataSet?: string): Uint8Array {
  const text = dataSet === undefined ? [] : [STX, ...Buffer.from(dataSet, 'latin1')];
  const body = Uint8Array.from([...Buffer.from(command, 'latin1'), ...text, ETX]);
  return Uint8Array.of(SOH, ...body, bcc(body));
}

/** Ends a session; never answered. */
export const BREAK_MESSAGE: Uint8Array = encodeCommand('B0');
