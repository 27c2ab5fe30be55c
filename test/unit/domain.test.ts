import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalDecimal, isDecimal } from '../../src/domain/decimal.js';
import { RunOrigin } from '../../src/domain/enums.js';
import { parseInstant } from '../../src/domain/instant.js';
import { qualityCodes } from '../../src/domain/quality.js';
import { retryDelayMs } from '../../src/domain/retry-policy.js';
import { instantOfUuid, uuidAt } from '../../src/domain/uuid.js';

describe('decimals', () => {
  it.each(['0', '9000.1250', '-0.5', '+1', '.5', '5.', '00012.50'])('accepts %s', (text) =>
    expect(isDecimal(text)).toBe(true),
  );
  it.each(['', '-', '.', '1e5', 'NaN', 'Infinity', '1,5', ' 1', '1 ', '0x1F', '1.2.3', '9'.repeat(60)])(
    'refuses %j',
    (text) => expect(isDecimal(text)).toBe(false),
  );
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
  it('wait longer each time, within the bound', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempts, random) => {
          const delay = retryDelayMs({ ...run, attempts }, 'TIMEOUT', random)!;
          expect(delay).toBeGreaterThanOrEqual(0);
          expect(delay).toBeLessThanOrEqual(10_000 * 2 ** (attempts - 1));
        },
      ),
    );
  });
});
