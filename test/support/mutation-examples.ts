import { expect } from 'vitest';
import type { TestApi } from './api.js';
import { fileDeadLetters } from '../../src/services/dead-letters.js';
import { inTransaction } from '../../src/db/database.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { insertDueRun, insertGroup, insertInterface, insertMeter, insertSegment, insertTask } from './rows.js';

/** An input that changes something, and what the audit entry is to tell. */
export interface MutationExample {
  readonly input: object;
  readonly subjectType: string;
  readonly after?: object;
  readonly before?: object;
  /** How many it writes; the first is the one that is looked at. @default 1 */
  readonly entries?: number;
}

let serial = 0;
const named = (what: string) => `${what} ${++serial}`;
const task = { schedule: 'DAILY', meterExecutionType: 'generic_lis200', taskCall: 'set_time' };

/** One example for each mutation of the schema; a test fails for a mutation that has none. */
export function mutationExamples({ database }: TestApi): Record<string, () => Promise<MutationExample>> {
  const { pool } = database;
  const letter = async () => {
    const body = Buffer.from(`{"a": ${++serial}}`);
    const entry = { organization: DEFAULT_ORGANIZATION_ID, queue: 'amr.results', reason: 'type: unknown', body };
    await inTransaction(pool, (client) => fileDeadLetters(client, [{ ...entry, readings: 0, publication: undefined }]));
    const { rows } = await pool.query<{ id: string }>(
      `select id from dead_letter where state = 'dead' order by id desc`,
    );
    return rows[0]!.id;
  };
  const point = async () => {
    const { rows } = await pool.query<{ id: string }>(
      'insert into metering_point (id, organization_id, name) values (gen_random_uuid(), $1, $2) returning id',
      [DEFAULT_ORGANIZATION_ID, named('point')],
    );
    return rows[0]!.id;
  };
  const installation = async () => {
    const { rows } = await pool.query<{ id: string }>(
      `insert into installation (id, organization_id, metering_point_id, meter_device_id, installed_at)
       values (gen_random_uuid(), $1, $2, $3, '2026-01-01') returning id`,
      [DEFAULT_ORGANIZATION_ID, await point(), await insertMeter(pool, named('installed'))],
    );
    return rows[0]!.id;
  };
  const series = async () => {
    const { rows } = await pool.query<{ id: string }>(
      'insert into series (id, organization_id, name) values (gen_random_uuid(), $1, $2) returning id',
      [DEFAULT_ORGANIZATION_ID, named('series')],
    );
    return rows[0]!.id;
  };
  const created = (subjectType: string, input: object, after: object) => async (): Promise<MutationExample> => {
    const name = named(subjectType);
    return { input: { name, ...input }, subjectType, after: { name, ...after } };
  };
  const deleted = (subjectType: string, make: () => Promise<string>) => async (): Promise<MutationExample> => ({
    input: { id: await make() },
    subjectType,
    before: subjectType === 'Installation' ? {} : { name: expect.any(String) as string },
  });
  const renamed = (subjectType: string, make: () => Promise<string>) => async (): Promise<MutationExample> => {
    const name = named('renamed');
    const before = { name: expect.any(String) as string };
    return { input: { id: await make(), name }, subjectType, before, after: { name } };
  };
  const newTask = () => insertTask(pool, named('task'), { task_call: 'set_time', task_kwargs: {} });
  const newGroup = () => insertGroup(pool, named('group'), [], []);
  const newMeter = () => insertMeter(pool, named('meter'));
  const newLine = () => insertInterface(pool, named('line'));
  const newSegment = () => insertSegment(pool, named('segment'));
  const rejected = () => insertMeter(pool, named('rejected'), { credentials_rejected_at: new Date() });
  return {
    createAmrTask: created('AmrTask', task, { taskCall: 'set_time', schedule: 'daily' }),
    updateAmrTask: renamed('AmrTask', newTask),
    deleteAmrTask: deleted('AmrTask', newTask),
    createApiToken: created('ApiToken', { role: 'VIEWER' }, { role: 'viewer' }),
    revokeApiToken: async () => {
      const name = named('token');
      const { rows } = await pool.query<{ id: string }>(
        `insert into api_token (id, organization_id, name, role, digest) values (gen_random_uuid(), $1, $2, 'viewer', $2) returning id`,
        [DEFAULT_ORGANIZATION_ID, name],
      );
      return { input: { id: rows[0]!.id }, subjectType: 'ApiToken', before: { name } };
    },
    // The import as a whole, and the meter it creates.
    importMeterDevices: async () => ({
      input: { items: [{ name: named('imported') }] },
      subjectType: 'MeterDevice',
      after: { created: 1, changed: 0, unchanged: 0, failed: 0 },
      entries: 2,
    }),
    createAmrTaskGroup: async () => {
      const [name, id] = [named('group'), await newTask()];
      return { input: { name, tasks: [id] }, subjectType: 'AmrTaskGroup', after: { name, tasks: [id] } };
    },
    updateAmrTaskGroup: async () => {
      const [one, other] = [await newTask(), await newTask()];
      const id = await insertGroup(pool, named('group'), [one], []);
      return {
        input: { id, tasks: [other] },
        subjectType: 'AmrTaskGroup',
        before: { tasks: [one] },
        after: { tasks: [other] },
      };
    },
    deleteAmrTaskGroup: deleted('AmrTaskGroup', newGroup),
    createMeterDevice: created('MeterDevice', { credentials: { password: 'sesame42' } }, { credentials: '(hidden)' }),
    updateMeterDevice: async () => ({
      input: { id: await newMeter(), lifeCycle: 'LOST', credentials: { password: 'sesame42' } },
      subjectType: 'MeterDevice',
      before: { lifeCycle: 'new' },
      after: { lifeCycle: 'lost', credentials: '(hidden)' },
    }),
    deleteMeterDevice: deleted('MeterDevice', newMeter),
    clearCredentialsRejection: async () => ({
      input: { id: await rejected() },
      subjectType: 'MeterDevice',
      after: { credentialsRejectedAt: null },
    }),
    createNetworkInterface: created('NetworkInterface', { kind: 'TCP', host: '127.0.0.1', port: 9 }, { port: 9 }),
    updateNetworkInterface: renamed('NetworkInterface', newLine),
    deleteNetworkInterface: deleted('NetworkInterface', newLine),
    createSegment: created('Segment', { maxOpenSessions: 2 }, { maxOpenSessions: 2 }),
    updateSegment: renamed('Segment', newSegment),
    deleteSegment: deleted('Segment', newSegment),
    upsertSeries: created('Series', { unit: 'm3' }, { unit: 'm3' }),
    deleteSeries: deleted('Series', series),
    createMeteringPoint: created('MeteringPoint', { customerReference: 'C-1' }, { customerReference: 'C-1' }),
    updateMeteringPoint: renamed('MeteringPoint', point),
    deleteMeteringPoint: deleted('MeteringPoint', point),
    installMeter: async () => {
      const [meteringPoint, meterDevice] = [await point(), await newMeter()];
      const input = { meteringPoint, meterDevice, installedAt: '2026-01-01T00:00:00Z' };
      return { input, subjectType: 'Installation', after: { meteringPoint, meterDevice } };
    },
    removeMeter: async () => ({
      input: { installation: await installation(), removedAt: '2026-02-01T00:00:00Z' },
      subjectType: 'Installation',
      before: { removedAt: null },
      after: { removedAt: '2026-02-01T00:00:00.000Z' },
    }),
    updateInstallation: async () => ({
      input: { id: await installation(), startIndex: '12.50' },
      subjectType: 'Installation',
      before: { startIndex: null },
      after: { startIndex: '12.5' },
    }),
    deleteInstallation: deleted('Installation', installation),
    updateOrganization: async () => ({
      input: { revisionPolicy: 'TAKE_LATEST' },
      subjectType: 'Organization',
      before: { revisionPolicy: 'keep_first' },
      after: { revisionPolicy: 'take_latest' },
    }),
    setServiceObjective: async () => ({
      input: { kind: 'COMPLETENESS', target: '0.9' },
      subjectType: 'ServiceObjective',
      before: { kind: 'completeness' },
      after: { target: '0.9' },
    }),
    invokeTask: async () => {
      const input = { meterDevice: await newMeter(), meterExecutionType: 'generic_lis200', taskCall: 'set_time' };
      return { input, subjectType: 'TaskRun', after: { ...input, taskKwargs: {} } };
    },
    invokeAmrTask: async () => {
      const input = { meterDevice: await newMeter(), amrTask: await newTask() };
      return { input, subjectType: 'TaskRun', after: input };
    },
    invokeAmrTaskGroup: async () => {
      const amrTaskGroup = await insertGroup(pool, named('group'), [await newTask()], [await newMeter()]);
      return { input: { amrTaskGroup }, subjectType: 'AmrTaskGroup', after: { runs: 1 } };
    },
    cancelTaskRun: async () => ({
      input: { id: await insertDueRun(pool, await newMeter()) },
      subjectType: 'TaskRun',
      before: { state: 'pending' },
      after: { state: 'cancelled' },
    }),
    submitReadings: async () => ({
      input: { readings: [{ meter: 'm', series: 's', timestamp: '2026-01-01T00:00:00Z', value: '1' }] },
      subjectType: 'MeterReading',
      after: { readings: 1, meters: 1 },
    }),
    redriveDeadLetters: async () => {
      const id = await letter();
      return { input: { ids: [id] }, subjectType: 'DeadLetter', after: { ids: [id] } };
    },
    discardDeadLetters: async () => {
      const id = await letter();
      return { input: { ids: [id], reason: 'test' }, subjectType: 'DeadLetter', after: { ids: [id], reason: 'test' } };
    },
  };
}
