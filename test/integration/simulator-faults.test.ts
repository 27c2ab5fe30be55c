import { afterEach, describe, expect, it } from 'vitest';
import { MeterError, type MeterErrorCode } from '../../src/errors.js';
import type { CallOutcome } from '../../src/execution/execution-context.js';
import { genericLis200 } from '../../src/execution/generic-lis200.js';
import type { MeterFault } from '../../src/simulators/faults.js';
import { startFleet, type Fleet, type FleetMeter, type FleetOptions } from '../../src/simulators/fleet.js';
import type { TruthCell } from '../../src/simulators/truth.js';
import { tcpLink } from '../../src/transports/tcp.js';

const HOUR_MS = 3_600_000;
/** In the middle of an archive period, where the clock may be set. */
const NOW = Date.parse('2026-01-31T11:20:00Z');
const IDENTIFICATION = '/Els6\\2EK280\r\n';
const READ_VALUE: Call = ['read_single_value', { address: '2:300' }];
const READ_ALL: Call = ['read_archive_by_date', { start_date: new Date(NOW - 24 * HOUR_MS).toISOString() }];

type Call = [string, Record<string, unknown>];

let fleet: Fleet | undefined;
afterEach(() => fleet?.stop());

async function fleetOf(options: Partial<FleetOptions>): Promise<Fleet> {
  return (fleet = await startFleet({ meters: 1, now: () => NOW, installedAt: NOW - 24 * HOUR_MS, ...options }));
}

/** One session, as a poller has it: what became of the call, or the code of the error that ended the session. */
async function session(
  meter: FleetMeter,
  call: Call,
  replyTimeoutMs: number,
  now = NOW,
): Promise<CallOutcome | MeterErrorCode> {
  const { host, port, name, serialNumber, address, password } = meter;
  try {
    const link = await tcpLink({ host, port, connectTimeoutMs: 5_000 })(AbortSignal.timeout(10_000));
    try {
      const request = {
        meter: { name, serialNumber, timeZone: 'UTC', ...(address !== undefined && { protocolAddress: address }) },
        credentials: { password },
        calls: [{ runId: 'run', taskCall: call[0], kwargs: call[1] }],
      };
      const environment = { link, now: () => now, replyTimeoutMs };
      for await (const outcome of genericLis200.run(request, environment)) return outcome;
    } finally {
      link.destroy();
    }
  } catch (error) {
    if (error instanceof MeterError) return error.code;
    throw error;
  }
  expect.unreachable();
}

async function withFault(fault: MeterFault, call: Call, replyTimeoutMs = 5_000) {
  const { meters } = await fleetOf({ faults: { 0: fault } });
  return session(meters[0]!, call, replyTimeoutMs);
}

/** Milliseconds for an answer that will not come. */
const patience = 60;

describe('what a client makes of a fault', () => {
  it.each<[MeterErrorCode, MeterFault, Call, number?]>([
    ['CONNECT_REFUSED', { kind: 'refuse' }, READ_VALUE],
    ['CONNECTION_LOST', { kind: 'busy' }, READ_VALUE],
    ['TIMEOUT', { kind: 'silent' }, READ_VALUE, patience],
    ['TIMEOUT', { kind: 'silent-after-sign-on' }, READ_VALUE, patience],
    ['CONNECTION_LOST', { kind: 'hang-up', afterBytes: 40 }, READ_VALUE],
    ['TIMEOUT', { kind: 'half-open', afterBytes: IDENTIFICATION.length }, READ_VALUE, patience],
    // The piece of a frame stays the only thing that came.
    ['GARBAGE', { kind: 'half-open', afterBytes: IDENTIFICATION.length + 5 }, READ_VALUE, patience],
    ['TIMEOUT', { kind: 'delay', ms: { distribution: 'uniform', min: 1000, max: 2000 } }, READ_VALUE, patience],
    ['GARBAGE', { kind: 'garbage' }, READ_VALUE, patience],
    ['CHECKSUM', { kind: 'bad-bcc', times: Infinity }, READ_VALUE],
    ['CHECKSUM', { kind: 'bad-bcc', times: 3 }, READ_VALUE],
    ['REFUSED', { kind: 'nak' }, READ_VALUE],
    ['WRONG_METER', { kind: 'wrong-identity', serialNumber: '99999999' }, READ_VALUE],
    ['WRONG_PASSWORD', { kind: 'wrong-password', password: '11111111' }, ['set_time', { allowed_drift_seconds: 0 }]],
    ['CLOCK_DRIFT_TOO_LARGE', { kind: 'clock', offsetSeconds: 3600 }, ['set_time', {}]],
  ])('is %s for %o', async (code, fault, call, replyTimeoutMs) => {
    // A password is asked for only where something is to be set.
    const clock = fault.kind === 'wrong-password' ? { clockDeviationSeconds: 60 } : {};
    const { meters } = await fleetOf({ faults: { 0: fault }, ...clock });
    const outcome = await session(meters[0]!, call, replyTimeoutMs ?? 5_000);
    expect(typeof outcome === 'string' ? outcome : outcome.error?.code).toBe(code);
  });

  it.each<MeterFault>([
    { kind: 'noise' },
    { kind: 'noise', after: true },
    { kind: 'bad-bcc', times: 1 },
    { kind: 'bad-bcc', times: 2 },
    { kind: 'delay', ms: { distribution: 'lognormal', median: 5, sigma: 1, max: 50 } },
  ])('is a reading all the same for %o', async (fault) => {
    const outcome = await withFault(fault, READ_ALL);
    expect(readingsOf(outcome)).toEqual(cellsOf(fleet!.truth(-Infinity, Infinity, 3)));
  });
});

describe('an archive that breaks off', () => {
  it.each<[MeterErrorCode, MeterFault]>([
    ['CONNECTION_LOST', { kind: 'hang-up', afterBytes: 3_000 }],
    ['GARBAGE', { kind: 'half-open', afterBytes: 3_000 }],
  ])('is %s for %o, with the rows that were whole', async (code, fault) => {
    const outcome = await withFault(fault, READ_ALL, patience);
    const truth = cellsOf(fleet!.truth(-Infinity, Infinity, 3));
    expect(outcome).toMatchObject({ error: { code } });
    const { readings } = outcome as CallOutcome;
    expect(readings.length).toBeGreaterThan(0);
    expect(readings.length).toBeLessThan(truth.length);
    expect(readings.map(told)).toEqual(truth.slice(0, readings.length));
  });
});

describe('a clock that drifts', () => {
  it('gains by the second until it is set, and from there on again', async () => {
    let now = NOW;
    await fleetOf({ now: () => now, faults: { 0: { kind: 'clock', offsetSeconds: -60, ppm: 1000 } } });
    const deviation = async () => {
      const outcome = await session(fleet!.meters[0]!, ['set_time', { allowed_drift_seconds: 3 }], 5_000, now);
      return typeof outcome === 'string' ? outcome : outcome.result?.['deviation_seconds'];
    };
    now += 5_000_000;
    expect(await deviation()).toBe(-55);
    now += 5_000_000;
    expect(await deviation()).toBe(5);
  });
});

describe('archives that differ are read as the truth says', () => {
  it('without the rows of a gap, whose order numbers are lost with them', async () => {
    const gap = { from: NOW - 10 * HOUR_MS, to: NOW - 5 * HOUR_MS };
    const outcome = await withFault({ kind: 'archive-gap', ...gap }, READ_ALL);
    const truth = cellsOf(fleet!.truth(-Infinity, Infinity, 3));
    expect(truth).toHaveLength((24 - 5) * 8);
    expect(readingsOf(outcome)).toEqual(truth);
    expect(truth.filter(({ measuredAt }) => measuredAt >= gap.from && measuredAt <= gap.to)).toEqual([]);
  });

  it('as nothing new where all rows asked for are in the gap', async () => {
    const outcome = await withFault({ kind: 'archive-gap', from: -Infinity, to: Infinity }, READ_ALL);
    expect(outcome).toMatchObject({ readings: [] });
    expect([...fleet!.truth(-Infinity, Infinity, 3)]).toEqual([]);
  });

  it('with a row for a restart between the regular ones, and none twice', async () => {
    const at = [Date.parse('2026-01-31T09:30:15Z'), Date.parse('2026-01-31T10:00:00Z')];
    const outcome = await withFault({ kind: 'power-up', at }, READ_ALL);
    const truth = cellsOf(fleet!.truth(-Infinity, Infinity, 3));
    expect(truth).toHaveLength((24 + 1) * 8);
    expect(readingsOf(outcome)).toEqual(truth);
    expect(truth.filter(({ measuredAt }) => measuredAt === at[0])).toHaveLength(8);
  });

  it('as far as a small memory reaches back; the truth tells also what was overwritten', async () => {
    const outcome = await withFault({ kind: 'archive-wrap', rows: 5 }, READ_ALL);
    const truth = cellsOf(fleet!.truth(-Infinity, Infinity, 3));
    expect(truth).toHaveLength(24 * 8);
    expect(readingsOf(outcome)).toEqual(truth.slice(-5 * 8));
  });
});

function readingsOf(outcome: CallOutcome | MeterErrorCode) {
  expect(outcome).toMatchObject({ readings: expect.anything() as unknown });
  const { readings, error } = outcome as CallOutcome;
  expect(error).toBeUndefined();
  return readings.map(told);
}

function told({ series, measuredAt, value }: CallOutcome['readings'][number]) {
  return { series, measuredAt, value };
}

function cellsOf(truth: Iterable<TruthCell>) {
  return [...truth].map(({ series, timestamp, value }) => ({ series, measuredAt: Date.parse(timestamp), value }));
}
