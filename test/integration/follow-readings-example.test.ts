import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { startGraphqlServer, type GraphqlServer } from '../../src/graphql/server.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { createServices } from '../../src/services/index.js';
import { silentLog } from '../support/broker.js';
import { batchOf, commitBatches } from '../support/committed-readings.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

let db: TestDatabase;
let broker: MemoryBroker;
let server: GraphqlServer;
let proxy: TcpProxy;
let folder: string;
const meter = randomUUID();
const within = { timeout: 20_000, interval: 20 };

beforeAll(async () => {
  db = await createTestDatabase();
  broker = new MemoryBroker(silentLog);
  await db.database.pool.query('insert into meter_device (id, organization_id, name) values ($1, $2, $3)', [
    meter,
    DEFAULT_ORGANIZATION_ID,
    'Gas meter 1',
  ]);
  server = await startGraphqlServer({
    config: { httpHost: '127.0.0.1', httpPort: 0, auth: 'off', oidc: undefined },
    database: db.database,
    broker,
    log: silentLog,
    services: createServices({ database: db.database, broker, credentialsPublicKey: undefined, log: silentLog }),
    readiness: async () => ({ ok: true, parts: {} }),
  });
  proxy = await startTcpProxy('127.0.0.1', server.port);
  folder = await mkdtemp(join(tmpdir(), 'amr-follow-'));
});
afterAll(async () => {
  await proxy?.close();
  await server?.close();
  await broker?.close();
  await db?.drop();
  if (folder) await rm(folder, { recursive: true });
});

function start() {
  const child = spawn(process.execPath, ['docs/examples/follow-readings.mjs', join(folder, 'cursor')], {
    env: { ...process.env, AMR_GRAPHQL_URL: `ws://127.0.0.1:${proxy.port}/graphql`, NODE_OPTIONS: '' },
  });
  const output = { text: '' };
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output.text += text));
  const ends = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    await ends;
  };
  const says = (text: string) => vi.waitFor(() => expect(output.text).toContain(text), within);
  const readings = () => output.text.split('\n').filter((line) => line.includes('Gas meter 1'));
  return { output, stop, says, readings };
}
const commit = (first: number) => commitBatches(db.database, broker, [batchOf({ meter, count: 1, first })]);
const line = (value: number) => `2026-01-31T00:0${value}:00.000Z Gas meter 1 2:300 ${value} m3`;
const open = async () =>
  expect((await (await fetch(`${server.url}/metrics`)).text()).match(/amr_subscribers\{.*\} 1/)).not.toBeNull();

it('docs/examples/follow-readings.mjs misses and repeats nothing when its connection is cut, and when it is started again', async () => {
  const first = start();
  try {
    await first.says('connected');
    await vi.waitFor(open, within);
    await commit(1);
    await first.says(line(1));
    proxy.block();
    await commit(2);
    await first.says('connection lost');
    proxy.restore();
    await first.says(line(2));
    await commit(3);
    await first.says(line(3));
    expect(first.readings()).toEqual([line(1), line(2), line(3)]);
    await vi.waitFor(async () => expect(await readFile(join(folder, 'cursor'), 'utf8')).toMatch(/^\w{17}$/), within);
  } finally {
    await first.stop();
  }
  await commit(4);
  const second = start();
  try {
    await second.says(line(4));
    expect(second.readings()).toEqual([line(4)]);
  } finally {
    await second.stop();
  }
}, 60_000);
