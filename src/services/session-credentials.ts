import type { KeyRing } from '../credentials.js';
import { MeterError, messageOf, OPEN_CREDENTIALS_PHASE } from '../errors.js';
import type { PollSessionMessage } from '../messaging/contracts.js';

/** The meter's credentials in the clear, undefined where it has none. Throws `BAD_CREDENTIALS` when none of this poller's keys opens them. */
export function openCredentials(
  message: PollSessionMessage,
  keys: KeyRing | undefined,
): Record<string, string> | undefined {
  if (message.sealed_credentials === undefined) return undefined;
  if (keys === undefined) {
    throw new MeterError(
      'BAD_CREDENTIALS',
      'the meter has sealed credentials and this poller has no AMR_CREDENTIALS_PRIVATE_KEY',
      OPEN_CREDENTIALS_PHASE,
    );
  }
  try {
    return keys.open(message.meter.id, Buffer.from(message.sealed_credentials, 'base64'));
  } catch (error) {
    throw new MeterError(
      'BAD_CREDENTIALS',
      `the meter's credentials cannot be opened: ${messageOf(error)}`,
      OPEN_CREDENTIALS_PHASE,
      { cause: error },
    );
  }
}
