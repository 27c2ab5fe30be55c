import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CallOutcome } from '../../src/execution/execution-context.js';
import { genericLis200 } from '../../src/execution/generic-lis200.js';
import { startFleet, type Fleet } from '../../src/simulators/fleet.js';
import { tcpLink } from '../../src/transports/tcp.js';

/** In the middle of an archive period, where the clock may be set. */
const NOW = Date.parse('2026-01-31T11:20:00Z');
const DEVIATION_SECONDS = 60;

let fleet: Fleet;
beforeEach(async () => {
  fleet = await startFleet({ meters: 1, now: () => NOW, clockDeviationSeconds: DEVIATION_SECONDS });
});
afterEach(() => fleet.stop());

/** One session with a simulated meter whose clock is a minute ahead and whose locks are closed. */
async function session(password: string | undefined, ...calls: [string, Record<string, unknown>][]) {
  const { host, port, serialNumber, name } = fleet.meters[0]!;
  const link = await tcpLink({ host, port, connectTimeoutMs: 5_000 })(AbortSignal.timeout(10_000));
  const request = {
    meter: { name, serialNumber, timeZone: 'UTC' },
    ...(password !== undefined && { credentials: { password } }),
    calls: calls.map(([taskCall, kwargs], index) => ({ runId: `run ${index}`, taskCall, kwargs })),
  };
  const outcomes: CallOutcome[] = [];
  try {
    for await (const outcome of genericLis200.run(request, { link, now: () => NOW, replyTimeoutMs: 5_000 }))
      outcomes.push(outcome);
  } finally {
    link.destroy();
  }
  return outcomes;
}

const SET_TIME: [string, Record<string, unknown>] = ['set_time', {}];

describe('setting the clock of a meter with a closed supplier lock', () => {
  it('succeeds with the password, and closes the lock again', async () => {
    const [set, lock] = await session('00000000', SET_TIME, ['read_single_value', { address: '3:170' }]);
    expect(set).toMatchObject({
      result: { set: true, deviation_seconds: DEVIATION_SECONDS, new_deviation_seconds: 0 },
    });
    expect(set!.error).toBeUndefined();
    expect(lock).toMatchObject({ result: { value: '0' } });
  });

  it('ends in WRONG_PASSWORD with a wrong one, is not tried again, and leaves the clock alone', async () => {
    const [refused] = await session('12345678', SET_TIME);
    expect(refused!.error).toMatchObject({ code: 'WRONG_PASSWORD', retryable: false });
    expect(refused!.result).toMatchObject({ set: false });
    const [unchanged] = await session('00000000', ['set_time', { allowed_drift_seconds: DEVIATION_SECONDS }]);
    expect(unchanged).toMatchObject({ result: { set: false, deviation_seconds: DEVIATION_SECONDS } });
  });

  it('asks once per session, however many calls need the lock; those that do not need it go on', async () => {
    const outcomes = await session(
      '12345678',
      SET_TIME,
      ['read_single_value', { address: '2:300' }],
      SET_TIME,
      ['read_archive_by_offset_seconds', { offset_seconds: 7200 }],
      SET_TIME,
    );
    expect(outcomes.map(({ error }) => error?.code)).toEqual([
      'WRONG_PASSWORD',
      undefined,
      'WRONG_PASSWORD',
      undefined,
      'WRONG_PASSWORD',
    ]);
    expect(fleet.codesTried()).toBe(1);
    expect(outcomes[2]!.error!.message).toMatch(/not tried again/);
    expect(outcomes[3]!.readings.length).toBeGreaterThan(0);
  });

  it('ends in ACCESS_DENIED without one, and says what to set', async () => {
    const [refused] = await session(undefined, SET_TIME);
    expect(refused!.error).toMatchObject({
      code: 'ACCESS_DENIED',
      message: expect.stringContaining('set credentials.password') as string,
      retryable: false,
    });
  });

  it('needs no password while the clock is right enough; neither do reads', async () => {
    const outcomes = await session(
      'wrong',
      ['set_time', { allowed_drift_seconds: DEVIATION_SECONDS }],
      ['read_single_value', { address: '2:300' }],
    );
    expect(outcomes.map(({ error }) => error)).toEqual([undefined, undefined]);
  });
});
