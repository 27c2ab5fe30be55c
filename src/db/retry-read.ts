import { InputError } from '../errors.js';
import { pause } from '../retry.js';
import { isTransient } from './errors.js';

/** Waits before the tries after the first: together longer than a database takes to restart its connections. */
const DELAYS_MS = [50, 250, 1_000, 2_000];

/**
 * Reads, and reads again when the connection was lost on the way or the database is just restarting. Only for what
 * changes nothing: a write may have happened although its connection was lost.
 */
export async function retryRead<T>(read: () => Promise<T>): Promise<T> {
  for (const delay of DELAYS_MS) {
    try {
      return await read();
    } catch (error) {
      if (error instanceof InputError || !isTransient(error)) throw error;
    }
    await pause(delay);
  }
  return read();
}
