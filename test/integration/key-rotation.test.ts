import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createKeyPair, keyIdOf, KeyRing, open, seal, sealedFor } from '../../src/credentials.js';
import { run } from '../../src/cli/program.js';
import { renewSeals } from '../../src/embedded/renew-seals.js';
import { keysInUse, rotateCredentials } from '../../src/services/key-rotation.js';
import { silentLog } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { deleteMetersAndTasks, insertMeter } from '../support/rows.js';
import { uuidAt } from '../../src/domain/uuid.js';

const old = createKeyPair();
const fresh = createKeyPair();
const ring = KeyRing.parse(`${fresh.privateKey},${old.privateKey}`);
let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test?.drop());
afterEach(async () => {
  await deleteMetersAndTasks(test.database.pool);
  await test.database.pool.query('delete from audit_entry');
});

const meterWith = async (name: string, password: string, publicKey = old.publicKey) => {
  const id = uuidAt();
  return insertMeter(test.database.pool, name, {
    ...{ id, network_interface_id: null, credentials: seal(publicKey, id, { password }) },
  });
};
const boxOf = async (id: string) =>
  (await test.database.pool.query<{ credentials: Buffer }>('select credentials from meter_device where id = $1', [id]))
    .rows[0]!.credentials;
const amr = async (args: string[], env: NodeJS.ProcessEnv) => {
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  const io = {
    out: note,
    note,
    env: { DATABASE_URL: test.url, ...env },
    interrupted: () => new AbortController().signal,
  };
  return { code: await run(['keys', ...args], io), text: lines.join('\n') };
};
const ROTATING = {
  AMR_CREDENTIALS_PRIVATE_KEY: `${fresh.privateKey},${old.privateKey}`,
  AMR_CREDENTIALS_PUBLIC_KEY: fresh.publicKey,
};

describe('a rotation', () => {
  it('seals all credentials for the new key, in batches, and leaves the meters as they are', async () => {
    const meters = await Promise.all(Array.from({ length: 7 }, (_, n) => meterWith(`M${n}`, `secret ${n}`)));
    await insertMeter(test.database.pool, 'without', { network_interface_id: null });
    const { pool } = test.database;
    const others = 'select id, name, version, updated_at, credentials_rejected_at from meter_device order by id';
    const before = (await pool.query(others)).rows;
    const looked: number[] = [];
    const options = { ring, publicKey: fresh.publicKey, batch: 3, onProgress: (n: number) => void looked.push(n) };
    expect(await rotateCredentials(pool, options)).toEqual({ resealed: 7, unreadable: 0, named: [] });
    expect(looked).toEqual([3, 3, 1]);
    for (const [n, id] of meters.entries())
      expect(open(fresh.privateKey, id, await boxOf(id))).toEqual({ password: `secret ${n}` });
    expect((await pool.query(others)).rows).toEqual(before);
    expect(await keysInUse(pool)).toEqual(new Map([[keyIdOf(fresh.publicKey), 7]]));
    expect(await rotateCredentials(pool, options)).toMatchObject({ resealed: 0 });
    const { rows } = await pool.query<{ after: object }>(
      `select after from audit_entry where action = 'rotateCredentials'`,
    );
    expect(rows.map(({ after }) => after)).toEqual(
      [3, 3, 1].map((n) => ({ key: keyIdOf(fresh.publicKey), meters: n })),
    );
  });

  it('goes on where it was broken off', async () => {
    for (const n of [1, 2, 3, 4]) await meterWith(`M${n}`, 'secret');
    const { pool } = test.database;
    const stop = new AbortController();
    const options = { ring, publicKey: fresh.publicKey, batch: 2 };
    const first = await rotateCredentials(pool, { ...options, signal: stop.signal, onProgress: () => stop.abort() });
    expect(first.resealed).toBe(2);
    expect((await rotateCredentials(pool, options)).resealed).toBe(2);
  });

  it('does not overwrite credentials that are set at the same moment, and seals them too', async () => {
    const { pool } = test.database;
    const [byOldServer, byNewServer] = [await meterWith('A', 'before'), await meterWith('B', 'before')];
    const writer = await pool.connect();
    try {
      await writer.query('begin');
      const set = 'update meter_device set credentials = $2 where id = $1';
      await writer.query(set, [byOldServer, seal(old.publicKey, byOldServer, { password: 'after' })]);
      await writer.query(set, [byNewServer, seal(fresh.publicKey, byNewServer, { password: 'after' })]);
      const rotation = rotateCredentials(pool, { ring, publicKey: fresh.publicKey });
      await expect
        .poll(
          async () =>
            (
              await pool.query(
                `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
              )
            ).rowCount,
          { timeout: 10_000 },
        )
        .toBe(1);
      await writer.query('commit');
      expect(await rotation).toMatchObject({ resealed: 1, unreadable: 0 });
    } finally {
      writer.release();
    }
    for (const id of [byOldServer, byNewServer])
      expect(open(fresh.privateKey, id, await boxOf(id))).toEqual({ password: 'after' });
  });
});

it('is done by amr up at its start, for the first of its keys; with one key it does nothing', async () => {
  const meter = await meterWith('A', 'open sesame');
  const before = await boxOf(meter);
  const { pool } = test.database;
  await renewSeals(pool, { privateKey: fresh.privateKey, publicKey: fresh.publicKey }, silentLog);
  expect((await boxOf(meter)).equals(before)).toBe(true);
  const privateKey = `${fresh.privateKey},${old.privateKey}`;
  await renewSeals(pool, { privateKey, publicKey: fresh.publicKey }, silentLog);
  expect(open(fresh.privateKey, meter, await boxOf(meter))).toEqual({ password: 'open sesame' });
});

describe('amr keys', () => {
  it('rotate says that no old key is needed any more', async () => {
    await meterWith('A', 'open sesame');
    const { code, text } = await amr(['rotate'], ROTATING);
    expect(text).toMatch(
      /1 meters are sealed for key [0-9a-f]{16}, 0 could not be opened\nNo old key is needed any more\. .* 420 s/,
    );
    expect(code).toBe(0);
  });

  it('rotate works with the old private key alone, and warns', async () => {
    const meter = await meterWith('A', 'open sesame');
    const { code, text } = await amr(['rotate'], { ...ROTATING, AMR_CREDENTIALS_PRIVATE_KEY: old.privateKey });
    expect(text).toContain(`lacks the key ${keyIdOf(fresh.publicKey)}: make sure that pollers have it`);
    expect(code).toBe(0);
    expect(sealedFor(await boxOf(meter))).toBe(keyIdOf(fresh.publicKey));
  });

  it('rotate names meters whose credentials do not open, seals the others, and says which key is still needed', async () => {
    const lost = createKeyPair();
    const stays = await meterWith('lost key', 'secret one', lost.publicKey);
    const before = await boxOf(stays);
    await meterWith('A', 'secret two');
    const dry = await amr(['rotate', '--dry-run'], ROTATING);
    expect(dry.text).toContain('1 meters can be sealed');
    expect(dry.code).toBe(1);
    expect((await keysInUse(test.database.pool)).get(keyIdOf(old.publicKey))).toBe(1);
    const { code, text } = await amr(['rotate'], ROTATING);
    expect(text).toContain(`meter "lost key": The credentials are sealed for key ${keyIdOf(lost.publicKey)}`);
    expect(text).toContain(`Still needed: ${keyIdOf(lost.publicKey)} (1 meters)`);
    expect(text).not.toMatch(/secret one|secret two|amr-key-/);
    expect(code).toBe(1);
    expect((await boxOf(stays)).equals(before)).toBe(true);
  });

  it('list tells which key seals, which open, and of how many meters', async () => {
    await meterWith('A', 'secret');
    const { text } = await amr(['list'], ROTATING);
    expect(text.split('\n').map((line) => line.trim().split(/\s+/))).toEqual([
      ['KEY', 'SEALS', 'OPENS', 'METERS'],
      [keyIdOf(fresh.publicKey), 'yes', 'yes', '0'],
      [keyIdOf(old.publicKey), '-', 'yes', '1'],
    ]);
    expect(text).not.toContain('amr-');
  });

  it.each([
    [{ AMR_CREDENTIALS_PUBLIC_KEY: '' }, /AMR_CREDENTIALS_PUBLIC_KEY is not set/],
    [{ AMR_CREDENTIALS_PRIVATE_KEY: '' }, /AMR_CREDENTIALS_PRIVATE_KEY is not set/],
    [{ DATABASE_URL: '' }, /DATABASE_URL is not set/],
  ])('rotate says what is missing: %j', async (env, message) => {
    const { code, text } = await amr(['rotate'], { ...ROTATING, ...env });
    expect(text).toMatch(message);
    expect(code).toBe(2);
  });
});
