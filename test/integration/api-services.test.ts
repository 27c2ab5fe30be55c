import { afterAll, beforeAll, expect, it } from 'vitest';
import { createKeyPair, open } from '../../src/credentials.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { createServices } from '../../src/services/index.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { silentLog, testBrokers } from '../support/broker.js';

const brokers = testBrokers('memory:');
const keys = createKeyPair();
let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(await brokers.open(), keys.publicKey);
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});

const TASK = {
  schedule: 'HOURLY',
  meterExecutionType: 'generic_lis200',
  taskCall: 'read_archive_by_offset_seconds',
  taskKwargs: { offset_seconds: 1000, archive_number: 3, control_position: 3 },
};
const CREATE_TASK = `mutation ($input: CreateAmrTaskInput!) { createAmrTask(input: $input) {
  amrTask { id name description isActive schedule runOffsetSeconds meterExecutionType taskCall taskKwargs catchUp
            deadlineSeconds priority groups { id } nextRunAt createdAt updatedAt } } }`;
const UPDATE_TASK = `mutation ($input: UpdateAmrTaskInput!) { updateAmrTask(input: $input) {
  amrTask { id name isActive schedule runOffsetSeconds deadlineSeconds } } }`;
const CREATE_GROUP = `mutation ($input: CreateAmrTaskGroupInput!) { createAmrTaskGroup(input: $input) {
  amrTaskGroup { id tasks { id } meterDevices { totalCount nodes { id } } } } }`;
const CREATE_INTERFACE = `mutation ($input: CreateNetworkInterfaceInput!) { createNetworkInterface(input: $input) {
  networkInterface { id kind host port isBusy segment { id } } } }`;
const CREATE_METER = `mutation ($input: CreateMeterDeviceInput!) { createMeterDevice(input: $input) {
  meterDevice { id name version lifeCycle timeZone currentTransformerRatio hasCredentials lastReadingAt
    networkInterface { id } taskGroups { id } meterTasks { id } registers { id } taskRuns { totalCount } } } }`;
const UPDATE_METER = `mutation ($input: UpdateMeterDeviceInput!) { updateMeterDevice(input: $input) {
  meterDevice { id version lifeCycle serialNumber hasCredentials taskGroups { id } } } }`;

interface GroupPage {
  amrTaskGroups: {
    nodes: { name: string }[];
    pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; endCursor: string };
  };
}
interface Id {
  id: string;
}

const createTask = async (name: string, more: object = {}) =>
  (
    await api.run<{ createAmrTask: { amrTask: Id & Record<string, unknown> } }>(CREATE_TASK, {
      input: { ...TASK, name, ...more },
    })
  ).createAmrTask.amrTask;
const createGroup = async (name: string, tasks: string[] = []) =>
  (
    await api.run<{ createAmrTaskGroup: { amrTaskGroup: Id & { tasks: Id[] } } }>(CREATE_GROUP, {
      input: { name, tasks },
    })
  ).createAmrTaskGroup.amrTaskGroup;
const createMeter = async (name: string, more: object = {}) =>
  (
    await api.run<{ createMeterDevice: { meterDevice: Id & { version: number } & Record<string, unknown> } }>(
      CREATE_METER,
      {
        input: { name, ...more },
      },
    )
  ).createMeterDevice.meterDevice;
const updateMeter = async (input: object) =>
  (
    await api.run<{ updateMeterDevice: { meterDevice: Id & { version: number } & Record<string, unknown> } }>(
      UPDATE_METER,
      { input },
    )
  ).updateMeterDevice.meterDevice;
const createInterface = async (name: string, more: object = {}) =>
  (
    await api.run<{ createNetworkInterface: { networkInterface: Id } }>(CREATE_INTERFACE, {
      input: { name, kind: 'TCP', host: '127.0.0.1', port: 5000, ...more },
    })
  ).createNetworkInterface.networkInterface;
const remove = (kind: string, id: string) => `mutation { delete${kind}(input: {id: "${id}"}) { id } }`;

it('saves a task with its defaults and finds it by id, as a node and in lists', async () => {
  const task = await createTask('hourly archive', { runOffsetSeconds: 60 });
  expect(task).toMatchObject({
    ...TASK,
    description: '',
    isActive: true,
    runOffsetSeconds: 60,
    catchUp: 'LATEST',
    deadlineSeconds: null,
    priority: 0,
    groups: [],
  });
  expect(new Date(String(task['nextRunAt'])).getTime() % 3_600_000).toBe(60_000);

  const found = await api.run<Record<string, Id & { __typename: string; nodes: Id[] }>>(
    `query ($id: ID!) { amrTask(id: $id) { id } node(id: $id) { __typename id }
       amrTasks(filter: {nameContains: "LY ARCH", schedule: HOURLY, isActive: true}) { nodes { id } } }`,
    { id: task.id },
  );
  expect(found).toMatchObject({
    amrTask: { id: task.id },
    node: { __typename: 'AmrTask', id: task.id },
    amrTasks: { nodes: [{ id: task.id }] },
  });
  expect(
    await api.run('{ amrTask(id: "nonsense") { id } amrTasks(filter: {nameContains: "%"}) { totalCount } }'),
  ).toEqual({
    amrTask: null,
    amrTasks: { totalCount: 0 },
  });
});

it.each([
  ['an unknown execution type', { meterExecutionType: 'generic_none' }, 'input.meterExecutionType', /generic_lis200/],
  ['an unknown call', { taskCall: 'read_everything' }, 'input.taskCall', /read_archive_by_offset_seconds/],
  ['an unknown kwarg', { taskKwargs: { offset: 1 } }, /^input\.taskKwargs/, /offset_seconds/],
  [
    'a wrong kwarg',
    { taskKwargs: { offset_seconds: 'x' } },
    'input.taskKwargs.offset_seconds',
    /archive_number \(optional\)/,
  ],
  ['an offset beyond the period', { runOffsetSeconds: 3601 }, 'input.runOffsetSeconds', /0 to 3600/],
  ['a negative offset', { runOffsetSeconds: -1 }, 'input.runOffsetSeconds', /0 to 3600/],
  ['an empty name', { name: '  ' }, 'input.name', /1 to 150 characters/],
  ['an overlong name', { name: 'n'.repeat(151) }, 'input.name', /1 to 150 characters/],
  ['a deadline of nothing', { deadlineSeconds: 0 }, 'input.deadlineSeconds', /from 1/],
  ['a null where there is a default', { isActive: null }, 'input.isActive', /true or false/],
  ['text that cannot be stored', { taskKwargs: { a: '\0' } }, 'input.taskKwargs', /NUL/],
])('refuses a task with %s', async (_what, wrong, field, message) => {
  const failure = await api.failure(CREATE_TASK, { input: { ...TASK, name: 'wrong', ...wrong } });
  expect(failure.code).toBe('BAD_USER_INPUT');
  expect(failure.field).toMatch(field);
  expect(failure.message).toMatch(message);
});

it('accepts an offset of exactly one period', async () => {
  expect(await createTask('one period', { runOffsetSeconds: 3600 })).toMatchObject({ runOffsetSeconds: 3600 });
});

it('gives a name that two requests want at once to one of them, and names it to the other', async () => {
  const outcomes = await Promise.allSettled([createTask('wanted'), createTask('wanted')]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(await api.failure(CREATE_TASK, { input: { ...TASK, name: 'wanted' } })).toMatchObject({
    code: 'CONFLICT',
    field: 'input.name',
    message: expect.stringContaining('"wanted"') as string,
  });
});

it('checks a changed task as a whole, and starts its slots anew only when schedule or activity ask for it', async () => {
  const { id } = await createTask('changing', { runOffsetSeconds: 3600 });
  const update = (changes: object) => api.run(UPDATE_TASK, { input: { id, ...changes } });
  const activeSince = async () => {
    const { rows } = await api.database.pool.query<{ at: Date }>(
      'select active_since as at from amr_task where id = $1',
      [id],
    );
    return rows[0]!.at.getTime();
  };
  await api.database.pool.query(`update amr_task set active_since = '2020-01-01Z' where id = $1`, [id]);
  const before = await activeSince();

  expect(await api.failure(UPDATE_TASK, { input: { id, schedule: 'QUARTERLY' } })).toMatchObject({
    code: 'BAD_USER_INPUT',
    field: 'input.runOffsetSeconds',
  });
  await update({ description: 'still the same slots', isActive: false });
  expect(await activeSince()).toBe(before);
  await update({ isActive: true });
  const enabled = await activeSince();
  expect(enabled).toBeGreaterThan(before);
  await update({ schedule: 'DAILY' });
  expect(await activeSince()).toBeGreaterThan(enabled);
  expect(await api.failure(UPDATE_TASK, { input: { id: uuidAt(), name: 'x' } })).toMatchObject({ code: 'NOT_FOUND' });
  expect(await api.failure(UPDATE_TASK, { input: { id: 'x', name: 'x' } })).toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringMatching(/AmrTask.*"x"/) as string,
  });
});

it('keeps the runs of a task that is deleted', async () => {
  const task = await createTask('short-lived');
  const meter = await createMeter('meter of a run', { networkInterface: (await createInterface('of a run')).id });
  const { invokeAmrTask } = await api.run<{ invokeAmrTask: { taskRun: Id & { amrTask: Id } } }>(
    `mutation { invokeAmrTask(input: {amrTask: "${task.id}", meterDevice: "${meter.id}"}) { taskRun { id amrTask { id } } } }`,
  );
  expect(invokeAmrTask.taskRun.amrTask.id).toBe(task.id);
  expect(await api.failure(remove('AmrTask', task.id))).toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('1 run that has not ended') as string,
  });
  await api.run(`mutation { deleteAmrTask(input: {id: "${task.id}", force: true}) { id } }`);
  expect(
    await api.run(`{ taskRun(id: "${invokeAmrTask.taskRun.id}") { state amrTask { id } meterDevice { id } } }`),
  ).toEqual({
    taskRun: { state: 'CANCELLED', amrTask: null, meterDevice: { id: meter.id } },
  });
  expect(await api.failure(remove('MeterDevice', meter.id))).toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('RETIRED') as string,
  });
});

it('does not delete what is in use, and says by what', async () => {
  const { id: task } = await createTask('in a group');
  const group = await createGroup('used group', [task]);
  expect(group.tasks).toEqual([{ id: task }]);
  const { createSegment } = await api.run<{ createSegment: { segment: Id } }>(
    'mutation { createSegment(input: {name: "cell", maxOpenSessions: 2}) { segment { id openSessions } } }',
  );
  const networkInterface = await createInterface('used interface', { segment: createSegment.segment.id });
  const meter = await createMeter('user', { networkInterface: networkInterface.id, taskGroups: [group.id] });
  expect(await api.failure(remove('AmrTaskGroup', group.id))).toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('1 meter') as string,
  });
  expect(await api.failure(remove('Segment', createSegment.segment.id))).toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('1 network interface') as string,
  });
  expect(await api.failure(remove('NetworkInterface', networkInterface.id))).toMatchObject({
    code: 'CONFLICT',
    message: expect.stringContaining('1 meter') as string,
  });

  await api.run(remove('MeterDevice', meter.id));
  await api.run(remove('NetworkInterface', networkInterface.id));
  await api.run(remove('Segment', createSegment.segment.id));
  expect(await api.failure(remove('AmrTaskGroup', group.id))).toMatchObject({
    message: expect.stringContaining('1 task') as string,
  });
  await api.run(`mutation { updateAmrTaskGroup(input: {id: "${group.id}", tasks: []}) { amrTaskGroup { id } } }`);
  await api.run(remove('AmrTaskGroup', group.id));
  expect(await api.run(`{ amrTask(id: "${task}") { groups { id } } }`)).toEqual({ amrTask: { groups: [] } });
  expect(await api.failure(remove('AmrTaskGroup', group.id))).toMatchObject({ code: 'NOT_FOUND' });
});

it.each([
  ['a serial port', { kind: 'SERIAL', host: null, port: null, serialPath: '/dev/ttyS0' }, 'input.kind', /only TCP/],
  ['no host', { host: null }, 'input.host', /needed/],
  ['a URL for a host', { host: 'tcp://meter' }, 'input.host', /without scheme/],
  ['no port', { port: null }, 'input.port', /needed/],
  ['port 0', { port: 0 }, 'input.port', /1 to 65535/],
  ['a baud rate', { baudRate: 9600 }, 'input.baudRate', /does not apply/],
  ['an unknown segment', { segment: 'nowhere' }, 'input.segment', /no Segment.*"nowhere"/],
])('refuses an interface with %s', async (_what, wrong, field, message) => {
  const input = { name: 'wrong', kind: 'TCP', host: '127.0.0.1', port: 5000, ...wrong };
  const failure = await api.failure(CREATE_INTERFACE, { input });
  expect(failure).toMatchObject({ field, message: expect.stringMatching(message) as string });
});

it('changes an interface and leaves what is not given', async () => {
  const { id } = await createInterface('moving', { host: 'gateway.example' });
  expect(
    await api.run(
      `mutation { updateNetworkInterface(input: {id: "${id}", port: 6000}) { networkInterface { host port } } }`,
    ),
  ).toEqual({ updateNetworkInterface: { networkInterface: { host: 'gateway.example', port: 6000 } } });
});

it('shows that an interface is not reached, and forgets it when the address changes', async () => {
  const { id } = await createInterface('unreached', { host: 'gateway.example', port: 5000 });
  await api.database.pool.query(
    `insert into interface_breaker (network_interface_id, failures, error_message, open_until) values ($1, 6, 'no route', '2030-01-01T00:00:00Z')`,
    [id],
  );
  const HOLD = 'hold { failures openUntil errorMessage }';
  expect(await api.run(`{ networkInterface(id: "${id}") { ${HOLD} } }`)).toEqual({
    networkInterface: { hold: { failures: 6, openUntil: '2030-01-01T00:00:00.000Z', errorMessage: 'no route' } },
  });
  const update = (change: string) =>
    api.run(`mutation { updateNetworkInterface(input: {id: "${id}", ${change}}) { networkInterface { ${HOLD} } } }`);
  expect(await update('name: "renamed"')).toMatchObject({
    updateNetworkInterface: { networkInterface: { hold: { failures: 6 } } },
  });
  expect(await update('port: 5001')).toEqual({ updateNetworkInterface: { networkInterface: { hold: null } } });
});

it('seals credentials for the meter, tells only that there are some, and removes them on null', async () => {
  const meter = await createMeter('sealed', { credentials: { password: '00000000' } });
  expect(meter['hasCredentials']).toBe(true);
  const { rows } = await api.database.pool.query<{ credentials: Buffer }>(
    'select credentials from meter_device where id = $1',
    [meter.id],
  );
  expect(open(keys.privateKey, meter.id, rows[0]!.credentials)).toEqual({ password: '00000000' });
  expect(await updateMeter({ id: meter.id, credentials: null })).toMatchObject({ hasCredentials: false });

  const failure = await api.failure(CREATE_METER, { input: { name: 'numeric', credentials: { password: 12345678 } } });
  expect(failure).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.credentials.password' });
  expect(failure.message).not.toContain('12345678');

  const withoutKey = createServices({
    database: api.database,
    broker: await brokers.open(),
    credentialsPublicKey: undefined,
    log: silentLog,
  });
  await expect(
    withoutKey.meterDevices.create(DEFAULT_ORGANIZATION_ID, { name: 'unsealed', credentials: { password: '1' } }),
  ).rejects.toMatchObject({ code: 'BAD_USER_INPUT', message: expect.stringContaining('amr keys create') as string });
});

it('counts a meter version up with each change, and refuses a change of another version', async () => {
  const group = await createGroup('joined later');
  const meter = await createMeter('versioned', { currentTransformerRatio: '40.00', timeZone: 'Europe/Vienna' });
  expect(meter).toMatchObject({ version: 1, lifeCycle: 'NEW', currentTransformerRatio: '40', registers: [] });
  const changed = await updateMeter({ id: meter.id, serialNumber: 'A1', expectedVersion: 1 });
  expect(changed).toMatchObject({ version: 2, serialNumber: 'A1' });
  const joined = await updateMeter({ id: meter.id, taskGroups: [group.id] });
  expect(joined).toMatchObject({ version: 3, serialNumber: 'A1', taskGroups: [{ id: group.id }] });
  expect(await api.failure(UPDATE_METER, { input: { id: meter.id, model: 'x', expectedVersion: 2 } })).toMatchObject({
    code: 'CONFLICT',
    field: 'input.expectedVersion',
    message: expect.stringContaining('version 3') as string,
  });
  const left = await updateMeter({ id: meter.id, taskGroups: [], lifeCycle: 'RETIRED' });
  expect(left).toMatchObject({ taskGroups: [], lifeCycle: 'RETIRED' });
});

it.each([
  ['an unknown time zone', { timeZone: 'Mars/Olympus' }, 'input.timeZone'],
  ['an offset for a time zone', { timeZone: '+01:00' }, 'input.timeZone'],
  ['a ratio of zero', { currentTransformerRatio: '0.00' }, 'input.currentTransformerRatio'],
  ['an unknown group', { taskGroups: [uuidAt()] }, 'input.taskGroups.0'],
  ['an unknown task', { meterTasks: ['x'] }, 'input.meterTasks.0'],
  ['an unknown interface', { networkInterface: uuidAt() }, 'input.networkInterface'],
])('refuses a meter with %s', async (_what, wrong, field) => {
  expect(await api.failure(CREATE_METER, { input: { name: 'wrong', ...wrong } })).toMatchObject({ field });
});

it('creates a series once and changes what is given', async () => {
  const upsert =
    'mutation ($input: UpsertSeriesInput!) { upsertSeries(input: $input) { series { id unit kind multiplier } } }';
  const results = await Promise.all(
    ['m3', 'm3'].map((unit) =>
      api.run<{ upsertSeries: { series: Id } }>(upsert, { input: { name: '7-0:13.26.0*101', unit } }),
    ),
  );
  expect(results[0]).toEqual(results[1]);
  const changed = await api.run(upsert, { input: { name: '7-0:13.26.0*101', kind: 'CUMULATIVE' } });
  expect(changed).toMatchObject({ upsertSeries: { series: { unit: 'm3', kind: 'CUMULATIVE', multiplier: '1' } } });
  await api.run(remove('Series', results[0]!.upsertSeries.series.id));
});

it('pages by cursor without gap or repeat, whatever is created meanwhile', async () => {
  for (let index = 0; index < 5; index++) await createGroup(`page ${index}`);
  const page =
    'query ($after: String) { amrTaskGroups(first: 2, after: $after) { nodes { name } totalCount pageInfo { hasNextPage hasPreviousPage endCursor } } }';
  const names: string[] = [];
  for (let after: string | undefined, more = true; more;) {
    const { amrTaskGroups }: GroupPage = await api.run<GroupPage>(page, { after });
    expect(amrTaskGroups.pageInfo.hasPreviousPage).toBe(after !== undefined);
    names.push(...amrTaskGroups.nodes.map(({ name }) => name));
    if (names.length === 2) await createGroup('page late');
    ({ hasNextPage: more, endCursor: after } = amrTaskGroups.pageInfo);
  }
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => name.startsWith('page'))).toEqual([
    'page 0',
    'page 1',
    'page 2',
    'page 3',
    'page 4',
    'page late',
  ]);
  expect(await api.failure('{ amrTaskGroups(first: 501) { totalCount } }')).toMatchObject({
    code: 'BAD_USER_INPUT',
    field: 'first',
  });
  expect(await api.failure('{ amrTaskGroups(after: "x") { totalCount } }')).toMatchObject({
    code: 'BAD_USER_INPUT',
    field: 'after',
  });
});

it('finds meters by what is given, all of it at once', async () => {
  const group = await createGroup('filtered');
  const [first, second] = [
    await createMeter('filter 1_a', { taskGroups: [group.id], serialNumber: 'S1' }),
    await createMeter('filter 1xa', { taskGroups: [group.id], externalReference: 'R2' }),
  ];
  await createMeter('filter elsewhere');
  const find = async (filter: object) => {
    const { meterDevices } = await api.run<{ meterDevices: { totalCount: number; nodes: Id[] } }>(
      'query ($filter: MeterDeviceFilter) { meterDevices(filter: $filter) { totalCount nodes { id } } }',
      { filter },
    );
    expect(meterDevices.totalCount).toBe(meterDevices.nodes.length);
    return meterDevices.nodes.map(({ id }) => id);
  };
  expect(await find({ taskGroup: group.id })).toEqual([first.id, second.id]);
  expect(await find({ taskGroup: group.id, serialNumber: 'S1', lifeCycle: 'NEW' })).toEqual([first.id]);
  expect(await find({ nameContains: 'R 1_A' })).toEqual([first.id]);
  expect(await find({ name: 'filter 1xa', nameContains: 'filter' })).toEqual([second.id]);
  expect(await find({ ids: [second.id, 'no id'], externalReference: 'R2' })).toEqual([second.id]);
  expect(await find({ taskGroup: 'no id' })).toEqual([]);
  expect(await find({ taskGroup: group.id, lifeCycle: 'LOST' })).toEqual([]);
});

it('shows one mutation of an operation what the one before it did', async () => {
  const group = await createGroup('twice changed');
  const { id } = await createMeter('mover');
  const change = (groups: string[]) =>
    `updateMeterDevice(input: {id: "${id}", taskGroups: ${JSON.stringify(groups)}}) { meterDevice { taskGroups { id } } }`;
  expect(await api.run(`mutation { first: ${change([])} second: ${change([group.id])} }`)).toMatchObject({
    first: { meterDevice: { taskGroups: [] } },
    second: { meterDevice: { taskGroups: [{ id: group.id }] } },
  });
});

it('shows and changes nothing of another organization', async () => {
  const other = '00000000-0000-7000-8000-0000000000ff';
  await api.database.pool.query(`insert into organization (id, name) values ($1, 'other') on conflict do nothing`, [
    other,
  ]);
  const { id } = await createTask('private');
  const seen = await api.run(
    `{ node(id: "${id}") { id } amrTask(id: "${id}") { id } amrTasks { totalCount nodes { id } } taskRuns { totalCount } latestReadings { value } }`,
    {},
    other,
  );
  expect(seen).toEqual({
    node: null,
    amrTask: null,
    amrTasks: { totalCount: 0, nodes: [] },
    taskRuns: { totalCount: 0 },
    latestReadings: [],
  });
  await expect(api.run(remove('AmrTask', id), {}, other)).rejects.toThrow(/no AmrTask/);
});

it('lists execution types with the JSON Schema of their kwargs', async () => {
  const { meterExecutionTypes } = await api.run<{
    meterExecutionTypes: {
      name: string;
      calls: { name: string; writesToMeter: boolean; kwargsSchema: { required: string[] } }[];
    }[];
  }>('{ meterExecutionTypes { name description calls { name description writesToMeter kwargsSchema } } }');
  const calls = meterExecutionTypes.find(({ name }) => name === 'generic_lis200')!.calls;
  expect(calls.find(({ name }) => name === 'set_time')).toMatchObject({ writesToMeter: true });
  expect(calls.find(({ name }) => name === 'read_archive_by_offset_seconds')!.kwargsSchema).toMatchObject({
    type: 'object',
    required: ['offset_seconds'],
  });
});
