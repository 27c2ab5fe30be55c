import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { CliIo } from '../../src/cli/io.js';
import { run } from '../../src/cli/program.js';
import { createKeyPair, open } from '../../src/credentials.js';
import { startGraphqlServer, type GraphqlServer } from '../../src/graphql/server.js';
import { createServices } from '../../src/services/index.js';
import { silentLog, testBrokers } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { deleteMetersAndTasks, insertGroup, insertInterface } from '../support/rows.js';

const brokers = testBrokers('memory:');
const keys = createKeyPair();
let test: TestDatabase;
let api: GraphqlServer;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'amr-meters-'));
  test = await createTestDatabase();
  const { database } = test;
  const broker = await brokers.open();
  const services = createServices({ database, broker, credentialsPublicKey: keys.publicKey, log: silentLog });
  const readiness = async () => ({ ok: true, parts: {} });
  const config = { httpHost: '127.0.0.1', httpPort: 0, auth: 'off' as const, oidc: undefined };
  api = await startGraphqlServer({ config, database, broker, log: silentLog, services, readiness });
});
afterAll(async () => {
  await api?.close();
  await test?.drop();
  await brokers.dispose();
  rmSync(folder, { recursive: true });
});
afterEach(() => deleteMetersAndTasks(test.database.pool));

/** Runs the command on a file with these lines. */
async function importMeters(lines: string[], args: string[] = [], signal = new AbortController().signal) {
  const file = join(folder, 'meters.csv');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const out: string[] = [];
  const notes: string[] = [];
  const io: CliIo = {
    out: (line) => void out.push(line),
    note: (line) => void notes.push(line),
    env: {},
    interrupted: () => signal,
  };
  const code = await run(['import-meters', file, '--url', `${api.url}/graphql`, ...args], io);
  return { code, out: out.join('\n'), notes: notes.join('\n'), errors: `${file}.errors.csv` };
}
const meters = async () =>
  (
    await test.database.pool.query<{ id: string; name: string; credentials: Buffer | null }>(
      'select id, name, serial_number, time_zone, credentials from meter_device order by name',
    )
  ).rows;

it('registers the meters of a file with their links and passwords; the same again changes nothing', async () => {
  const { pool } = test.database;
  await insertInterface(pool, 'Modem 1');
  await insertGroup(pool, 'gas', [], []);
  await insertGroup(pool, 'plant 7', [], []);
  const lines = [
    'name,serialNumber,timeZone,networkInterface,taskGroups,credentials.password',
    'A,S1,europe/vienna,Modem 1,gas;plant 7,00000000',
    'B,,,,,',
  ];
  expect(await importMeters(lines)).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^rows 2, created 2, updated 0, unchanged 0, with errors 0; /) as string,
  });
  const [a, b] = await meters();
  expect(a).toMatchObject({ name: 'A', serial_number: 'S1', time_zone: 'Europe/Vienna' });
  expect(open(keys.privateKey, a!.id, a!.credentials!)).toEqual({ password: '00000000' });
  expect(b).toMatchObject({ name: 'B', time_zone: 'UTC', credentials: null });
  expect((await pool.query('select from meter_device_task_groups')).rowCount).toBe(2);
  const again = await importMeters(lines.map((line) => line.replace(/,[^,]*$/, '')));
  expect(again.out).toMatch(/^rows 2, created 0, updated 0, unchanged 2, with errors 0; /);
});

it('tells of each wrong row its line and cell, and takes the others, over several batches', async () => {
  const lines = ['name;model;timeZone;taskGroups', 'A;;;', 'B;;Mars/Base;', 'C;;;steam', 'A;;;', '', 'D;EK280;;'];
  const result = await importMeters(lines, ['--delimiter', ';', '--batch', '2']);
  expect(result.notes.split('\n')).toEqual([
    'line 3, timeZone: "Mars/Base" must be an IANA time zone such as Europe/Vienna or UTC.',
    'line 5, name: "A" is that of line 2 already',
    'line 4, taskGroups: "steam" is not the id or name of any AmrTaskGroup: "steam".',
    `amr: 3 rows have errors, see ${result.errors}; the others are in.`,
  ]);
  expect(result.code).toBe(1);
  expect(readFileSync(result.errors, 'utf8').split('\n')[0]).toBe('line,column,text,problem');
  expect((await meters()).map(({ name }) => name)).toEqual(['A', 'D']);
});

it('changes nothing in a dry run, and leaves no file of errors where there are none', async () => {
  const result = await importMeters(['name', 'A'], ['--dry-run']);
  expect(result.out).toMatch(/^rows 1, created 1, updated 0, unchanged 0, with errors 0 \(dry run\); /);
  expect(result.code).toBe(0);
  expect(existsSync(result.errors)).toBe(false);
  expect(await meters()).toEqual([]);
});

it('keeps batches of long rows within what a request may hold', { timeout: 60_000 }, async () => {
  const long = 'x'.repeat(100);
  const lines = Array.from({ length: 3_000 }, (_, n) => `M${n},${long},${long},${long},${long}`);
  const result = await importMeters(
    ['name,manufacturer,model,protocolAddress,serialNumber', ...lines],
    ['--batch', '10000'],
  );
  expect(result.out).toMatch(/^rows 3000, created 3000, /);
});

it('ends with 130 when it is interrupted, and goes on with the same command', async () => {
  const interrupted = new AbortController();
  interrupted.abort();
  const lines = ['name', ...Array.from({ length: 30 }, (_, n) => `M${n}`)];
  expect(await importMeters(lines, [], interrupted.signal)).toMatchObject({ code: 130 });
  expect(await importMeters(lines)).toMatchObject({ code: 0 });
  expect(await meters()).toHaveLength(30);
});

it.each([
  [['name,modell', 'A,B'], /column "modell" is not known/],
  [['name,model', 'A,"B'], /cannot be read on/],
])('says what is wrong with %j', async (lines, message) => {
  const { code, notes } = await importMeters(lines);
  expect(notes).toMatch(message);
  expect(code).not.toBe(0);
});
