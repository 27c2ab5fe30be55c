import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalDecimal, isDecimal } from '../../src/domain/decimal.js';
import { RunOrigin } from '../../src/domain/enums.js';
import { parseInstant } from '../../src/domain/instant.js';
import { qualityCodes } from '../../src/domain/quality.js';
import { holdMs } from '../../src/domain/circuit-breaker.js';
import { expiryReason, type ExpiryFacts } from '../../src/domain/expiry-reason.js';
import { retryDelayMs } from '../../src/domain/retry-policy.js';
import { instantOfUuid, uuidAt } from '../../src/domain/uuid.js';

describe('decimals', () => {
  it.each(['0', '9000.1250', '-0.5', '+1', '.5', '5.', '00012.50', `-${'9'.repeat(37)}.9`])('accepts %s', (text) =>
    expect(isDecimal(text)).toBe(true),
  );
  it.each([
    '',
    '-',
    '.',
    '1e5',
    'NaN',
    'Infinity',
    '1,5',
    ' 1',
    '1 ',
    '0x1F',
    '1.2.3',
    '9'.repeat(39),
    '-' + '9'.repeat(39),
  ])('refuses %j', (text) => expect(isDecimal(text)).toBe(false));
  it('has one canonical text for equal values', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), fc.nat(6), fc.nat(4), (units, scale, zeros) => {
        const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0');
        const plain = `${units < 0n ? '-' : ''}${digits.slice(0, digits.length - scale)}${scale ? '.' : ''}${digits.slice(digits.length - scale)}`;
        const padded = `${units < 0n ? '-' : '+'}${'0'.repeat(zeros)}${plain.replace('-', '')}${scale ? '0'.repeat(zeros) : ''}`;
        expect(canonicalDecimal(padded)).toBe(canonicalDecimal(plain));
        expect(Number(canonicalDecimal(plain))).toBe(Number(plain) + 0);
      }),
    );
  });
  it('knows no negative zero', () => expect(canonicalDecimal('-0.00')).toBe('0'));
});

describe('instants', () => {
  it('reads offsets', () => {
    expect(parseInstant('2026-01-31T10:00:00+01:00')).toBe(Date.UTC(2026, 0, 31, 9));
    expect(parseInstant('2026-01-31T10:00:00.250Z')).toBe(Date.UTC(2026, 0, 31, 10, 0, 0, 250));
  });
  it.each([
    '2026-01-31T10:00:00',
    '2026-01-31',
    '31.01.2026 10:00Z',
    '2026-02-30T10:00:00Z',
    '2026-13-01T00:00:00Z',
    'yesterday',
    '',
  ])('refuses %j', (text) => expect(parseInstant(text)).toBeUndefined());
  it('reads back what toISOString writes', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }), (date) => {
        expect(parseInstant(date.toISOString())).toBe(date.getTime());
      }),
    );
  });
});

describe('run ids', () => {
  it('carry the instant they are stamped with', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (ms) => {
        expect(instantOfUuid(uuidAt(ms))).toBe(ms);
      }),
    );
  });
  it('of other versions carry none', () =>
    expect(instantOfUuid('890b61bb-6594-48db-ad90-584d56754455')).toBeUndefined());
});

describe('quality', () => {
  it('is empty when good', () => expect(qualityCodes(0)).toEqual([]));
  it('names known bits and keeps unknown ones', () =>
    expect(qualityCodes(1 | 8 | 1024)).toEqual(['CHECK_FAILED', 'ESTIMATED', 'STATUS_1024']));
});

describe('retries', () => {
  const run = { origin: RunOrigin.SCHEDULED, attempts: 1, lostTries: 0, msToDeadline: 600_000 };

  it('never repeat a wrong password', () => expect(retryDelayMs(run, 'WRONG_PASSWORD', 0.5)).toBeUndefined());
  it('end with the attempts', () => expect(retryDelayMs({ ...run, attempts: 4 }, 'TIMEOUT', 0)).toBeUndefined());
  it('end where the next one would be past the deadline', () =>
    expect(retryDelayMs({ ...run, msToDeadline: 4_000 }, 'TIMEOUT', 0.9)).toBeUndefined());
  it('outlast several lost sessions', () =>
    expect(retryDelayMs({ ...run, attempts: 6, lostTries: 6 }, 'LOST', 0)).toBe(0));
  it('of lost sessions end too', () =>
    expect(retryDelayMs({ ...run, attempts: 10, lostTries: 10 }, 'LOST', 0)).toBeUndefined());
  it('do not count lost sessions against the meter', () =>
    expect(retryDelayMs({ ...run, attempts: 6, lostTries: 5 }, 'TIMEOUT', 0)).toBe(0));
  it('wait longer each time, within the bound of their kind', () => {
    const firstMs = { LOST: 2_000, CHECKSUM: 5_000, CONNECTION_LOST: 5_000, TIMEOUT: 15_000, UNREACHABLE: 30_000 };
    fc.assert(
      fc.property(
        fc.constantFrom(...(Object.keys(firstMs) as (keyof typeof firstMs)[])),
        fc.integer({ min: 1, max: 3 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (code, tries, random) => {
          const counts = { attempts: tries, lostTries: code === 'LOST' ? tries : 0 };
          const delay = retryDelayMs({ ...run, ...counts }, code, random)!;
          expect(delay).toBe(Math.round(random * firstMs[code] * 2 ** (tries - 1)));
        },
      ),
    );
  });
  it('never keep a person waiting for long', () =>
    expect(retryDelayMs({ ...run, origin: RunOrigin.ON_DEMAND }, 'UNREACHABLE', 0.999)).toBeLessThan(5_000));
});

describe('holds of an interface that is not reached', () => {
  it('begin with the fifth session in a row', () =>
    expect([1, 4, 5].map((failures) => holdMs(failures, 0.999) !== undefined)).toEqual([false, false, true]));
  it('double up to half an hour, jittered by a fifth', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 5, max: 1_000_000 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (failures, random) => {
          const whole = Math.min(1_800_000, 60_000 * 2 ** (failures - 5));
          expect(holdMs(failures, random)).toBeGreaterThanOrEqual(0.8 * whole);
          expect(holdMs(failures, random)).toBeLessThanOrEqual(whole);
        },
      ),
    );
  });
});

describe('the reason of a run that expired', () => {
  const facts: ExpiryFacts = {
    attempts: 0,
    lastCode: null,
    lastMessage: null,
    credentialsRejected: false,
    retired: false,
    hasInterface: true,
    hasWorker: true,
    unreachableSessions: 0,
    unreachableMessage: null,
    interfaceBusy: false,
    segmentFull: false,
  };
  it.each([
    ['the last try', { attempts: 4, lastCode: 'TIMEOUT', lastMessage: 'no answer', hasWorker: false }, 'TIMEOUT'],
    ['credentials', { credentialsRejected: true, hasWorker: false }, 'CREDENTIALS_REJECTED'],
    ['that no poller runs', { hasWorker: false, interfaceBusy: true }, 'NO_WORKER'],
    ['that the interface is held', { unreachableSessions: 7, interfaceBusy: true }, 'CIRCUIT_OPEN'],
    ['that no poller took it', { attempts: 2, lastCode: 'LOST', hasWorker: false }, 'NO_WORKER'],
    ['that the meter was retired', { retired: true, hasWorker: false }, 'EXPIRED'],
    ['that the meter has no interface', { hasInterface: false, hasWorker: false }, 'NO_INTERFACE'],
    ['that the interface is busy', { interfaceBusy: true, segmentFull: true }, 'INTERFACE_BUSY'],
    ['that the segment is full', { segmentFull: true }, 'SEGMENT_FULL'],
    ['that there was too much to do', {}, 'EXPIRED'],
  ] as const)('is %s', (_title, differing, code) => {
    const reason = expiryReason({ ...facts, ...differing });
    expect(reason.code).toBe(code);
    expect(reason.message).toMatch(/the deadline passed|refused its credentials|retired|no network interface/);
  });
});
