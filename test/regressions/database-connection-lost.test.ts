import { afterAll, beforeAll, expect, it } from 'vitest';
import { inTransaction } from '../../src/db/database.js';
import { isTransient } from '../../src/db/errors.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());

// The event 'error' of a connection in use had no listener: a restart of PostgreSQL ended every process at work.
it('a connection lost in the middle of a transaction fails the transaction, not the process', async () => {
  const { pool } = test.database;
  const work = inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    await pool.query('select pg_terminate_backend($1)', [rows[0]!.pid]);
    await client.query('select 1');
  });
  const error: unknown = await work.catch((reason: unknown) => reason);
  expect(isTransient(error)).toBe(true);
  expect((await pool.query('select 1 as alive')).rows).toEqual([{ alive: 1 }]);
});

// Read-only servers (a failover), passwords and name look-ups turned good readings into dead letters.
it.each(['25006', '28P01', '3D000', '42P01', '57P01', '40P01', '53100', 'EAI_AGAIN', 'ECONNRESET'])(
  '%s passes with time',
  (code) => {
    expect(isTransient(Object.assign(new Error('x'), { code }))).toBe(true);
  },
);
it.each(['22021', '22P02', '23514', '54000'])('%s fails again', (code) => {
  expect(isTransient(Object.assign(new Error('x'), { code }))).toBe(false);
});
it('a mistake in the code fails again', () => expect(isTransient(new TypeError('x is not a function'))).toBe(false));
