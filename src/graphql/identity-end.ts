import type { Identity } from './authenticate.js';

/** The longest time that Node's timers know, about 25 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls `end` once when the identity is over: its token was revoked, or has expired. What runs on its behalf ends then.
 * @returns a function that ends the watch
 */
export function whenOver({ expiresAt, revoked }: Partial<Identity>, end: (why: string) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const release = () => {
    clearTimeout(timer);
    revoked?.removeEventListener('abort', onRevoked);
  };
  const over = (why: string) => {
    release();
    end(why);
  };
  const onRevoked = () => over('The token was revoked');
  const wait = () => {
    const left = expiresAt! - Date.now();
    if (left <= 0) return over('The token has expired');
    timer = setTimeout(wait, Math.min(left, MAX_TIMER_MS));
    timer.unref();
  };
  if (revoked?.aborted) onRevoked();
  else {
    revoked?.addEventListener('abort', onRevoked, { once: true });
    if (expiresAt !== undefined) wait();
  }
  return release;
}
