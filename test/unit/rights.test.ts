import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { whileAllowed } from '../../src/graphql/rights.js';
import { stoppable, mapStream } from '../../src/graphql/async-streams.js';

/** A stream that waits until it is ended. */
function waiting() {
  const ended = vi.fn();
  const source = stoppable<number>(async function* (signal) {
    yield 1;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  }, ended);
  return { stream: mapStream(source, (item) => item), ended };
}
const UNAUTHENTICATED = { extensions: { code: 'UNAUTHENTICATED' } };

describe('a stream with rights that end', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('ends with an error when they expire, though nothing comes', async () => {
    const { stream, ended } = waiting();
    const allowed = whileAllowed(stream, { expiresAt: Date.now() + 60_000 });
    expect((await allowed.next()).value).toBe(1);
    const failed = expect(allowed.next()).rejects.toMatchObject(UNAUTHENTICATED);
    await vi.advanceTimersByTimeAsync(59_999);
    expect(ended).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await failed;
    expect(ended).toHaveBeenCalledOnce();
  });

  it('waits for an end beyond the longest timer', async () => {
    const { stream, ended } = waiting();
    const allowed = whileAllowed(stream, { expiresAt: Date.now() + 2 ** 32 });
    await allowed.next();
    const failed = expect(allowed.next()).rejects.toMatchObject(UNAUTHENTICATED);
    await vi.advanceTimersByTimeAsync(2 ** 32 - 1);
    expect(ended).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await failed;
  });

  it('ends at once when they are revoked, also before it began', async () => {
    const revoked = new AbortController();
    const { stream, ended } = waiting();
    const allowed = whileAllowed(stream, { revoked: revoked.signal });
    await allowed.next();
    const failed = expect(allowed.next()).rejects.toMatchObject(UNAUTHENTICATED);
    revoked.abort();
    await failed;
    expect(ended).toHaveBeenCalledOnce();
    await expect(whileAllowed(waiting().stream, { revoked: revoked.signal }).next()).rejects.toMatchObject(
      UNAUTHENTICATED,
    );
  });

  it('leaves no timer behind when it is ended before', async () => {
    const allowed = whileAllowed(waiting().stream, { expiresAt: Date.now() + 60_000 });
    await allowed.return();
    expect(vi.getTimerCount()).toBe(0);
  });
});
