import { expect, it } from 'vitest';
import { retryRead } from '../../src/db/retry-read.js';
import { InputError } from '../../src/errors.js';

const failing = (failures: readonly Error[]) => {
  let reads = 0;
  return {
    read: async () => {
      const failure = failures[reads++];
      if (failure !== undefined) throw failure;
      return reads;
    },
    reads: () => reads,
  };
};
const lost = Object.assign(new Error('terminating connection due to administrator command'), { code: '57P01' });

// A subscriber got an internal error in place of a reading when PostgreSQL restarted while its event was resolved.
it('reads again after a lost connection', async () => {
  expect(await retryRead(failing([lost, lost]).read)).toBe(3);
});
it.each([Object.assign(new Error('bad value'), { code: '22P02' }), new InputError('NOT_FOUND', 'no such meter')])(
  'does not repeat what cannot succeed: %s',
  async (error) => {
    const source = failing([error]);
    await expect(retryRead(source.read)).rejects.toBe(error);
    expect(source.reads()).toBe(1);
  },
);
