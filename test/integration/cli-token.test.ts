import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CliIo } from '../../src/cli/io.js';
import { run } from '../../src/cli/program.js';
import { buildGraphqlSchema } from '../../src/graphql/schema.js';
import { TokenVerifier } from '../../src/services/token-verifier.js';
import { silentLog, testBrokers, type TestBrokers } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let db: TestDatabase;
let brokers: TestBrokers;
let verifier: TokenVerifier;

beforeAll(async () => {
  // What names of scopes are checked against; read in by the first that needs it, which takes a while.
  await buildGraphqlSchema();
  db = await createTestDatabase();
  brokers = testBrokers('memory:');
  verifier = await TokenVerifier.start({ pool: db.database.pool, broker: await brokers.open(), log: silentLog });
}, 60_000);
afterAll(async () => {
  await verifier?.stop();
  await brokers?.dispose();
  await db?.drop();
});

async function token(...args: string[]) {
  const [out, notes]: [string[], string[]] = [[], []];
  const io: CliIo = {
    out: (line) => void out.push(line),
    note: (line) => void notes.push(line),
    env: { DATABASE_URL: db.url },
    interrupted: () => new AbortController().signal,
  };
  const code = await run(['token', ...args], io);
  return { code, out, notes: notes.join('\n') };
}

describe('amr token, on a database', () => {
  it('makes the first administrator: the token alone on stdout', async () => {
    const { code, out, notes } = await token('create', '--name', 'first', '--role', 'admin');
    expect([code, out.length]).toEqual([0, 1]);
    expect(notes).toContain('not shown again');
    expect(await verifier.verify(out[0]!)).toMatchObject({
      name: 'first',
      role: 'admin',
      scopes: null,
      expiresAt: null,
    });
  });

  it('narrows by scopes and expiry, lists, and revokes', async () => {
    const created = await token(
      ...['create', '--name', 'billing', '--role', 'viewer', '--expires', '90d'],
      ...['--scope', 'readings', '--scope', 'meterReadingAdded'],
    );
    const verified = (await verifier.verify(created.out[0]!))!;
    expect(verified.scopes).toEqual(['readings', 'meterReadingAdded']);
    expect(Math.round((verified.expiresAt! - Date.now()) / 86_400_000)).toBe(90);

    const { out } = await token('list');
    expect(out.find((line) => line.includes('billing'))).toMatch(
      /viewer +readings,meterReadingAdded +good until \d{4}/,
    );
    expect((await token('revoke', verified.id)).out).toEqual(['revoked "billing"']);
    // No broker was at hand: the next look at the database ends it.
    await verifier.keepUp();
    expect(verified.revoked.aborted).toBe(true);
    expect((await token('list')).out.find((line) => line.includes('billing'))).toContain('revoked 2');
  });

  it('refuses what cannot be, and says the cure', async () => {
    const create = ['create', '--name', 'x', '--role'];
    expect(await token(...create, 'root')).toMatchObject({ code: 2 });
    expect(await token(...create, 'viewer', '--scope', 'segmnts')).toMatchObject({
      code: 2,
      notes: expect.stringContaining('"segmnts", which is no query') as string,
    });
    expect(await token(...create, 'viewer', '--expires', '2020-01-01T00:00:00Z')).toMatchObject({ code: 2 });
    expect(await token(...create, 'viewer', '--organization', 'Nobody')).toMatchObject({
      code: 2,
      notes: expect.stringContaining('no active organization "Nobody"') as string,
    });
    expect(await token('revoke', 'nonsense')).toMatchObject({ code: 2 });
  });
});
