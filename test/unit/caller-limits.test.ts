import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { callerKey } from '../../src/graphql/caller.js';
import { Quota } from '../../src/graphql/quota.js';
import { TokenBuckets } from '../../src/graphql/token-buckets.js';

describe('a token bucket', () => {
  it('lets ten seconds’ worth pass at once, then as much as the rate, each caller for itself', () => {
    let now = 0;
    const buckets = new TokenBuckets(2, () => now);
    const takeAll = (caller: string) => {
      let taken = 0;
      while (buckets.take(caller) === 0) taken++;
      return taken;
    };
    expect(takeAll('a')).toBe(20);
    expect(takeAll('b')).toBe(20);
    now += 3_000;
    expect(takeAll('a')).toBe(6);
    now += 1_000_000;
    expect(takeAll('a')).toBe(20);
    expect(buckets.take('a')).toBe(1);
  });

  it('of rate 0 never ends', () => {
    const buckets = new TokenBuckets(0);
    for (let i = 0; i < 100_000; i++) expect(buckets.take('a')).toBe(0);
  });
});

describe('a quota', () => {
  it('is held until it is given back, and given back once', () => {
    const quota = new Quota(2);
    const release = quota.take('a')!;
    quota.take('a');
    expect(quota.take('a')).toBeUndefined();
    expect(quota.take('b')).toBeTypeOf('function');
    release();
    release();
    expect(quota.take('a')).toBeTypeOf('function');
    expect(quota.take('a')).toBeUndefined();
  });
});

describe('a caller', () => {
  const request = (remoteAddress: string, authorization?: string) =>
    ({ socket: { remoteAddress }, headers: { authorization } }) as unknown as IncomingMessage;

  it('is its token, never in plain text, or else its address', () => {
    const key = callerKey(request('10.0.0.1', 'Bearer secret'));
    expect(key).toBe(callerKey(request('10.0.0.2', 'Bearer secret')));
    expect(key).toBe(callerKey(request('10.0.0.2'), 'Bearer secret'));
    expect(key).not.toContain('secret');
    expect(callerKey(request('10.0.0.1'))).toBe('address 10.0.0.1');
    expect(callerKey(request('::ffff:10.0.0.1'))).toBe('address 10.0.0.1');
  });
});
