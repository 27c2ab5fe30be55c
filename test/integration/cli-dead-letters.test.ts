import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CliIo } from '../../src/cli/io.js';
import { run } from '../../src/cli/program.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { inTransaction } from '../../src/db/database.js';
import { startGraphqlServer, type GraphqlServer } from '../../src/graphql/server.js';
import { ACK } from '../../src/messaging/broker.js';
import { fileDeadLetters } from '../../src/services/dead-letters.js';
import { createServices } from '../../src/services/index.js';
import { silentLog, testBrokers } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const brokers = testBrokers('memory:');
let test: TestDatabase;
let api: GraphqlServer;

beforeAll(async () => {
  test = await createTestDatabase();
  const { database } = test;
  const broker = await brokers.open();
  await broker.consume('amr.results', async () => ACK, { prefetch: 10 });
  const services = createServices({ database, broker, credentialsPublicKey: undefined, log: silentLog });
  const readiness = async () => ({ ok: true, parts: {} });
  const config = { httpHost: '127.0.0.1', httpPort: 0, auth: 'off' as const, oidc: undefined };
  api = await startGraphqlServer({ config, database, broker, log: silentLog, services, readiness });
  const letter = (queue: string, body: string, reason: string) => ({
    ...{ organization: DEFAULT_ORGANIZATION_ID, queue, reason, body: Buffer.from(body) },
    ...{ readings: 0, publication: undefined },
  });
  await inTransaction(database.pool, (client) =>
    fileDeadLetters(client, [
      letter('amr.results', '{"a":1}', 'type: unknown'),
      letter('amr.results', '{"a":2}', 'type: unknown'),
      letter('amr.scheduled', '{"a":3}', 'session 7: no'),
    ]),
  );
});
afterAll(async () => {
  await api?.close();
  await test?.drop();
  await brokers.dispose();
});

async function deadLetters(...args: string[]) {
  const out: string[] = [];
  const notes: string[] = [];
  const io: CliIo = {
    out: (line) => void out.push(line),
    note: (line) => void notes.push(line),
    env: {},
    interrupted: () => new AbortController().signal,
  };
  const code = await run(['dead-letters', '--url', `${api.url}/graphql`, ...args], io);
  return { code, out, notes: notes.join('\n') };
}

it('lists, redrives and discards groups of dead letters', async () => {
  const list = await deadLetters();
  expect(list.out[0]).toMatch(/^LETTERS +READINGS +TIMES +LAST SEEN +FINGERPRINT$/);
  expect(list.out.slice(1).sort()).toEqual([
    expect.stringMatching(/^1 .* amr\.scheduled: session #: no$/),
    expect.stringMatching(/^2 .* amr\.results: type: unknown$/),
  ]);
  expect((await deadLetters('--queue', 'amr.results')).out).toHaveLength(2);

  const group = ['--fingerprint', 'amr.results: type: unknown'];
  expect(await deadLetters(...group, '--redrive', '--dry-run')).toMatchObject({
    code: 0,
    out: ['2 of 2 dead letters would be redriven'],
  });
  expect(await deadLetters(...group, '--redrive', '--rate', '1000')).toMatchObject({
    code: 0,
    out: ['2 of 2 dead letters redriven, 0 under way'],
  });

  const sessions = ['--fingerprint', 'amr.scheduled: session #: no'];
  const refused = await deadLetters(...sessions, '--redrive');
  expect(refused).toMatchObject({ code: 1, out: ['0 of 1 dead letters redriven, 0 under way'] });
  expect(refused.notes).toMatch(/sends its runs again by itself[^]*1 dead letters were left as they are/);
  expect(await deadLetters(...sessions, '--discard', '--reason', 'old')).toMatchObject({
    code: 0,
    out: ['1 of 1 dead letters discarded'],
  });
  expect(await deadLetters()).toMatchObject({ code: 0, out: [], notes: 'There are no dead letters.' });
});

it('says so when nothing matches, and does not look like success', async () => {
  for (const args of [['--redrive'], ['--redrive', '--dry-run'], ['--discard', '--reason', 'old']])
    expect(await deadLetters('--fingerprint', 'nope', ...args)).toMatchObject({
      ...{ code: 1, out: [] },
      notes: expect.stringMatching(/No dead letter that waits has the fingerprint "nope"/) as string,
    });
});
