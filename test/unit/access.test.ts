import { buildSchema } from 'graphql';
import { describe, expect, it, vi } from 'vitest';
import { Role } from '../../src/domain/enums.js';
import { highestRole, mayAct } from '../../src/domain/role.js';
import { enforceAccess, MUTATION_ROLES, READ_ROLES } from '../../src/graphql/access.js';
import { whenOver } from '../../src/graphql/identity-end.js';
import { buildGraphqlSchema } from '../../src/graphql/schema.js';
import { expiry } from '../../src/cli/token.js';
import { isLoopback } from '../../src/loopback.js';
import { createTokenSecret, digestOfToken, isTokenSecret } from '../../src/token-secret.js';

describe('a token', () => {
  it('is recognised by its form, and never the same', () => {
    const secrets = Array.from({ length: 100 }, createTokenSecret);
    expect(new Set(secrets).size).toBe(100);
    for (const secret of secrets) expect(secret).toMatch(/^amr_[\w-]{43}$/);
    expect(secrets.every(isTokenSecret)).toBe(true);
    const [secret] = secrets;
    for (const other of ['', 'amr_', `${secret}x`, secret!.slice(0, -1), secret!.toUpperCase(), ` ${secret}`])
      expect(isTokenSecret(other)).toBe(false);
  });

  it('is kept as its SHA-256', () => {
    // printf 'amr_test' | sha256sum
    expect(digestOfToken('amr_test')).toBe('211d19a462dbcb2cfe08670283f225130e89f6238aae3cfef54e8f2e96d8cd5f');
  });
});

describe('roles', () => {
  it('may do what those before them may', () => {
    const ranked = [Role.VIEWER, Role.OPERATOR, Role.ADMIN];
    const allowed = ranked.map((role) => ranked.filter((needed) => mayAct(role, needed)).length);
    expect(allowed).toEqual([1, 2, 3]);
    expect(ranked.some((needed) => mayAct(undefined, needed) || mayAct('root' as Role, needed))).toBe(false);
    expect(highestRole([Role.VIEWER, Role.ADMIN, Role.OPERATOR])).toBe(Role.ADMIN);
    expect(highestRole([])).toBeUndefined();
  });

  it('are given to every mutation of the schema, and to nothing that does not exist', async () => {
    const schema = await buildGraphqlSchema();
    expect(Object.keys(MUTATION_ROLES).sort()).toEqual(Object.keys(schema.getMutationType()!.getFields()).sort());
    const reads = [schema.getQueryType()!, schema.getSubscriptionType()!].flatMap((type) =>
      Object.keys(type.getFields()),
    );
    expect(reads).toEqual(expect.arrayContaining(Object.keys(READ_ROLES)));
    expect(Object.values(MUTATION_ROLES)).not.toContain(Role.VIEWER);
  });

  it('are missing on a mutation that nobody listed: nothing starts', () => {
    const schema = buildSchema('type Query { a: Int } type Mutation { updateSegment: Int openAllValves: Int }');
    expect(() => enforceAccess(schema)).toThrow(/The mutations openAllValves have no role/);
  });
});

describe('the end of an identity', () => {
  it('comes with its expiry, also when that is further away than a timer reaches', () => {
    vi.useFakeTimers({ now: 0 });
    try {
      const end = vi.fn();
      const days = 24 * 3_600_000;
      whenOver({ organizationId: '', role: Role.VIEWER, expiresAt: 60 * days }, end);
      vi.advanceTimersByTime(60 * days - 1);
      expect(end).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(end.mock.calls).toEqual([['The token has expired']]);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('comes once with its revocation, at once where that was before, and not after release', () => {
    const revocation = new AbortController();
    const identity = { organizationId: '', role: Role.VIEWER, revoked: revocation.signal };
    const [end, released, late] = [vi.fn(), vi.fn(), vi.fn()];
    whenOver(identity, end);
    whenOver(identity, released)();
    revocation.abort();
    whenOver(identity, late);
    expect([end, released, late].map((call) => call.mock.calls.length)).toEqual([1, 0, 1]);
  });
});

it('tells this machine from others', () => {
  expect(['localhost', '127.0.0.1', '127.8.0.1', '::1', '[::1]'].every(isLoopback)).toBe(true);
  expect(['0.0.0.0', '::', '127.0.0.1.example.com', '127.evil', 'localhost.example'].some(isLoopback)).toBe(false);
});

it('takes a span or an instant as the end of a token', () => {
  const days = (expiry('90d').getTime() - Date.now()) / 86_400_000;
  expect(Math.round(days)).toBe(90);
  expect(expiry('2027-01-31T00:00:00+01:00').toISOString()).toBe('2027-01-30T23:00:00.000Z');
  expect(() => expiry('tomorrow')).toThrow(/90d or 12h/);
});
