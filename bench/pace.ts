import { pause } from '../src/retry.js';

/**
 * Calls `send` at an even pace, whether or not what it starts is over: a system that is late gets no rest.
 * @returns the most that a call was behind its time, in milliseconds
 */
export async function atPace(perSecond: number, count: number, send: (index: number) => void): Promise<number> {
  const started = performance.now();
  let behindMs = 0;
  for (let sent = 0; sent < count;) {
    const elapsed = performance.now() - started;
    const due = Math.min(count, Math.floor((elapsed / 1000) * perSecond) + 1);
    if (sent < due) behindMs = Math.max(behindMs, elapsed - (sent * 1000) / perSecond);
    while (sent < due) send(sent++);
    await pause(1);
  }
  return behindMs;
}
