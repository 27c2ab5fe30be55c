import { open as openBox } from '../credentials.js';
import { MeterError, messageOf, OPEN_CREDENTIALS_PHASE } from '../errors.js';
import type { PollSessionMessage } from '../messaging/contracts.js';

/** The meter's credentials in the clear, undefined where it has none. Throws `BAD_CREDENTIALS` when this poller's key does not open them. */
export function openCredentials(
  message: PollSessionMessage,
  privateKey: string | undefined,
): Record<string, string> | undefined {
  if (message.sealed_credentials === undefined) return undefined;
  if (privateKey === undefined) {
    throw new MeterError(
      'BAD_CREDENTIALS',
      'the meter has sealed credentials and this poller has no AMR_CREDENTIALS_PRIVATE_KEY',
      OPEN_CREDENTIALS_PHASE,
    );
  }
  try {
    return openBox(privateKey, message.meter.id, Buffer.from(message.sealed_credentials, 'base64'));
  } catch (error) {
    throw new MeterError(
      'BAD_CREDENTIALS',
      `the meter's credentials cannot be opened: ${messageOf(error)}`,
      OPEN_CREDENTIALS_PHASE,
      { cause: error },
    );
  }
}
