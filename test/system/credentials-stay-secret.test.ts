import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createKeyPair, keyIdOf, sealedFor } from '../../src/credentials.js';
import { testBrokers, type TestBrokers } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { startAmr, type AmrProcess } from '../support/processes.js';
import { startRecordingProxy, type RecordingProxy } from '../support/recording-proxy.js';
import { findSecrets } from '../support/secret-search.js';
import { until } from '../support/until.js';

const amqpUrl = inject('amqpUrl');
/** Letters and digits only, as meters take no others, and long enough to be found nowhere by chance. */
const password = () => `Pw${randomBytes(14).toString('hex')}`;

interface Meter {
  id: string;
  credentialsRejectedAt: string | null;
}
interface Run {
  id: string;
  state: string;
  errorCode: string | null;
}

describe.skipIf(!amqpUrl)('the passwords of meters (needs RabbitMQ)', () => {
  const [right, wrong, inLetter, inFile] = [password(), password(), password(), password()];
  const [old, fresh] = [createKeyPair(), createKeyPair()];
  const processes: AmrProcess[] = [];
  const answers: string[] = [];
  let folder: string;
  let database: TestDatabase;
  let brokers: TestBrokers;
  let tap: RecordingProxy;
  let env: Record<string, string>;
  let url: string;
  let ports: string[];

  const start = (args: string[], more: Record<string, string> = {}) => {
    const started = startAmr(args, { ...env, ...more });
    processes.push(started);
    return started;
  };
  /** Every answer is kept, errors too. */
  const ask = async <T>(query: string, variables: object = {}): Promise<T> => {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(20_000),
    });
    answers.push(await response.text());
    return (JSON.parse(answers.at(-1)!) as { data: T }).data;
  };
  const createMeter = async (name: string, port: string, secret: string) => {
    const line = await ask<{ createNetworkInterface: { networkInterface: { id: string } } }>(
      `mutation ($port: Int!, $name: String!) { createNetworkInterface(input: {name: $name, kind: TCP, host: "127.0.0.1", port: $port}) { networkInterface { id } } }`,
      { name, port: Number(port) },
    );
    const input = {
      ...{ name, model: 'EK280', credentials: { password: secret } },
      networkInterface: line.createNetworkInterface.networkInterface.id,
    };
    const created = await ask<{ createMeterDevice: { meterDevice: Meter } }>(
      `mutation ($input: CreateMeterDeviceInput!) { createMeterDevice(input: $input) { meterDevice { id hasCredentials } } }`,
      { input },
    );
    return created.createMeterDevice.meterDevice.id;
  };
  /** Sets the clock of a meter, for which its lock has to be opened, and waits for the end. */
  const setClock = async (meterDevice: string): Promise<Run> => {
    const { invokeTask } = await ask<{ invokeTask: { taskRun: Run } }>(
      `mutation ($meterDevice: ID!) { invokeTask(input: {meterDevice: $meterDevice, meterExecutionType: "generic_lis200", taskCall: "set_time"}) { taskRun { id } } }`,
      { meterDevice },
    );
    let run: Run | undefined;
    await until(
      database.database.pool,
      'the clock is set or not',
      async () => {
        const answer = await ask<{ taskRun: Run }>(
          `query ($id: ID!) { taskRun(id: $id) { id state errorCode errorMessage result taskKwargs } }`,
          { id: invokeTask.taskRun.id },
        );
        run = answer.taskRun;
        return ['SUCCEEDED', 'FAILED', 'EXPIRED'].includes(run.state);
      },
      30_000,
    );
    return run!;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'amr-secrets-'));
    database = await createTestDatabase();
    brokers = testBrokers(amqpUrl!);
    const broker = new URL(amqpUrl!);
    tap = await startRecordingProxy(broker.hostname, Number(broker.port || 5672));
    env = {
      DATABASE_URL: database.url,
      AMQP_URL: Object.assign(new URL(amqpUrl!), { hostname: '127.0.0.1', port: String(tap.port) }).href,
      AMR_QUEUE_PREFIX: brokers.config.queuePrefix,
      AMR_HTTP_PORT: '0',
      AMR_HEALTH_PORT: '0',
      AMR_LOG_LEVEL: 'trace',
      AMR_AUTH: 'off',
      AMR_CREDENTIALS_PUBLIC_KEY: old.publicKey,
    };
    const profile = join(folder, 'profile.json');
    await writeFile(
      profile,
      JSON.stringify({
        faults: [{ meters: ['SIM-0001', 'SIM-0002'], fault: { kind: 'wrong-password', password: right } }],
      }),
    );
    const simulator = start(['simulate', '--meters', '3', '--clock-deviation', '60', '--profile', profile]);
    // One after another: on a busy machine all at once would each take long.
    const worker = async (name: string, more: Record<string, string> = {}) => {
      const started = start([name], more);
      return (await started.says(/^ready: \w+ (\S+)/m))[1]!;
    };
    url = await worker('server');
    await worker('scheduler');
    await worker('ingester');
    await worker('poller', { AMR_CREDENTIALS_PRIVATE_KEY: `${fresh.privateKey},${old.privateKey}` });
    ports = (await simulator.says(/ports ([\d ]+)/))[1]!.trim().split(' ');
  }, 150_000);

  afterAll(async () => {
    await Promise.all(processes.map((amr) => amr.kill()));
    await tap?.close();
    await brokers?.dispose();
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });

  it(
    'are nowhere in the clear: not in logs, messages, dead letters, rows, metrics or answers',
    { timeout: 150_000 },
    async () => {
      const { pool } = database.database;
      const meters = [
        await createMeter('first', ports[0]!, right),
        await createMeter('second', ports[1]!, right),
        await createMeter('third', ports[2]!, wrong),
      ];

      // Opened in the poller, the right one opens the lock; near the full hour a clock is not set even so.
      const first = await setClock(meters[0]!);
      expect(first.state === 'SUCCEEDED' || first.errorCode === 'REFUSED', JSON.stringify(first)).toBe(true);

      // The wrong one is refused; the meter is held, and so is the next call on it.
      expect(await setClock(meters[2]!)).toMatchObject({ state: 'FAILED', errorCode: 'WRONG_PASSWORD' });
      await ask(
        `mutation ($id: ID!) { invokeTask(input: {meterDevice: $id, meterExecutionType: "generic_lis200", taskCall: "set_time"}) { taskRun { id } } }`,
        { id: meters[2] },
      );
      expect(answers.at(-1)).toContain('CONFLICT');

      // Messages that nobody can use, and quote a password.
      const broker = await brokers.open();
      const letter = Buffer.from(
        `{"version":1,"meter":{"credentials":{"password":"${inLetter}"}}, "password":"${inLetter}"}`,
      );
      await broker.publish('amr.on_demand', letter);
      await broker.publish('readings.new', letter);
      await until(
        pool,
        'both letters are filed',
        async () => (await pool.query('select from dead_letter')).rowCount === 2,
        20_000,
      );

      // A file of meters, with a row that is wrong.
      const file = join(folder, 'meters.csv');
      await writeFile(
        file,
        `name,timeZone,credentials.password\nA,UTC,${inFile}\nB,Mars/Base,${inFile}\nC,UTC,${inFile}\u0001\n`,
      );
      const imported = start(['import-meters', file, '--url', `${url}/graphql`]);
      await imported.says(/with errors 2/).finally(() => imported.stop());

      const rotated = start(['keys', 'rotate'], {
        AMR_CREDENTIALS_PUBLIC_KEY: fresh.publicKey,
        AMR_CREDENTIALS_PRIVATE_KEY: old.privateKey,
      });
      await rotated.says(/4 meters are sealed for key .*[^]*No old key is needed any more/);
      const boxes = await pool.query<{ credentials: Buffer }>(
        'select credentials from meter_device where credentials is not null',
      );
      expect(new Set(boxes.rows.map(({ credentials }) => sealedFor(credentials)))).toEqual(
        new Set([keyIdOf(fresh.publicKey)]),
      );
      const second = await setClock(meters[1]!);
      expect(second.state === 'SUCCEEDED' || second.errorCode === 'REFUSED', JSON.stringify(second)).toBe(true);

      await ask(
        `{ meterDevices { nodes { id name hasCredentials credentialsRejectedAt taskRuns { nodes { id errorMessage result } } } }
           deadLetters { nodes { reason fingerprint message body } } deadLetterGroups { reason fingerprint newest { message } }
           workers { host state } ingestion { lastError { message } } alerts { nodes { kind } } }`,
      );
      expect(answers.at(-1)).not.toContain('"errors"');
      const places = {
        'what processes write': processes.flatMap(({ stdout, stderr }) => [stdout, stderr]),
        'rows of the database': await allRows(pool),
        metrics: await metricsOf(processes, url),
        'answers of the API': answers,
        'the list of errors': [await readFile(`${file}.errors.csv`, 'utf8')],
      };
      const messages = { messages: tap.streams() };
      const passwords = { right, wrong, inFile };
      const keys = { 'old private key': old.privateKey, 'new private key': fresh.privateKey };

      // That they were looked at at all: what is no secret is found.
      const everywhere = { ...places, ...messages };
      const seen = findSecrets(everywhere, { meter: meters[0]! }).map((line) => / in (.*?), after/.exec(line)![1]);
      expect(seen).toEqual(
        expect.arrayContaining(['what processes write', 'rows of the database', 'answers of the API', 'messages']),
      );
      expect(findSecrets(everywhere, { ...passwords, ...keys })).toEqual([]);
      // It was in a message, as this test sent it there.
      expect(findSecrets(messages, { inLetter })).not.toEqual([]);
      expect(findSecrets(places, { inLetter })).toEqual([]);
    },
  );
});

/** All rows of all tables as text. */
async function allRows(pool: TestDatabase['database']['pool']): Promise<string[]> {
  const { rows: tables } = await pool.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  const texts: string[] = [];
  for (const { name } of tables) {
    const { rows } = await pool.query<{ line: string }>(`select to_jsonb(t)::text as line from ${name} t`);
    texts.push(...rows.map(({ line }) => line));
  }
  return texts;
}

async function metricsOf(processes: readonly AmrProcess[], apiUrl: string): Promise<string[]> {
  const urls = processes.flatMap(({ stdout }) => /^health: (\S+)/m.exec(stdout)?.[1] ?? []);
  // Of simulator, scheduler, ingester and poller.
  expect(urls).toHaveLength(4);
  return Promise.all([apiUrl, ...urls].map(async (base) => (await fetch(`${base}/metrics`)).text()));
}
