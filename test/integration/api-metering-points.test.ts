import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { decode, ControlMessage } from '../../src/messaging/contracts.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { InputError } from '../../src/errors.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import { insertMeter } from '../support/rows.js';

const brokers = testBrokers(inject('amqpUrl') ?? 'memory:');
const OTHERS = uuidAt();
let api: TestApi;
const heard: ControlMessage[] = [];

beforeAll(async () => {
  const broker = await brokers.open();
  api = await createTestApi(broker);
  await api.database.pool.query('insert into organization (id, name) values ($1, $2)', [OTHERS, 'others']);
  await broker.listen('amr.control', (body) => {
    const decoded = decode(ControlMessage, body);
    if (!decoded.ok) throw new Error(decoded.reason);
    heard.push(decoded.message);
  });
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});
beforeEach(() => {
  heard.length = 0;
});

/** The next broadcast; those that came before it are forgotten. */
const hear = (meters: readonly string[] | undefined, organization = DEFAULT_ORGANIZATION_ID) =>
  vi.waitFor(() => {
    const message = { type: 'rows_changed', organization, ...(meters && { meters }) };
    expect(heard).toContainEqual(message);
    heard.length = 0;
  }, 5_000);

interface Point {
  id: string;
  version: number;
}
interface Stay {
  id: string;
  removedAt: string | null;
}
const point = async (name: string, more: object = {}) =>
  (
    await api.run<{ createMeteringPoint: { meteringPoint: Point } }>(
      `mutation ($input: CreateMeteringPointInput!) { createMeteringPoint(input: $input) {
         meteringPoint { id name description customerReference tariffReference version } } }`,
      { input: { name, ...more } },
    )
  ).createMeteringPoint.meteringPoint;
const INSTALL = `mutation ($input: InstallMeterInput!) { installMeter(input: $input) { installation {
  id installedAt removedAt startIndex endIndex meterDevice { id } meteringPoint { id } } } }`;
const REMOVE = `mutation ($input: RemoveMeterInput!) { removeMeter(input: $input) { installation { id removedAt endIndex } } }`;
const UPDATE = `mutation ($input: UpdateInstallationInput!) { updateInstallation(input: $input) { installation { id removedAt } } }`;
const install = async (meteringPoint: string, meterDevice: string, installedAt: string, more: object = {}) =>
  (
    await api.run<{ installMeter: { installation: Stay } }>(INSTALL, {
      input: { meteringPoint, meterDevice, installedAt, ...more },
    })
  ).installMeter.installation;
const remove = (installation: string, removedAt: string, more: object = {}) =>
  api.run(REMOVE, { input: { installation, removedAt, ...more } });

describe('metering points', () => {
  it('are saved, found by name, references and meter, and changed by their version', async () => {
    const saved = await point('house 1', { customerReference: 'C-1', tariffReference: 'T-1' });
    expect(saved).toMatchObject({ name: 'house 1', description: '', customerReference: 'C-1', version: 1 });
    await point('house 2', { customerReference: 'C-2', tariffReference: 'T-1' });
    const meter = await insertMeter(api.database.pool, 'of house 1');
    await install(saved.id, meter, '2026-01-01T00:00:00Z');
    const find = async (filter: object) =>
      (
        await api.run<{ meteringPoints: { nodes: { name: string }[] } }>(
          'query ($filter: MeteringPointFilter) { meteringPoints(filter: $filter) { nodes { name } } }',
          { filter },
        )
      ).meteringPoints.nodes.map(({ name }) => name);
    expect(await find({ name: 'house 1' })).toEqual(['house 1']);
    expect(await find({ tariffReference: 'T-1' })).toEqual(['house 1', 'house 2']);
    expect(await find({ customerReference: 'C-2' })).toEqual(['house 2']);
    expect(await find({ meterDevice: meter })).toEqual(['house 1']);
    expect(await find({ meterDevice: 'none' })).toEqual([]);

    const change = `mutation ($input: UpdateMeteringPointInput!) { updateMeteringPoint(input: $input) { meteringPoint { version customerReference tariffReference } } }`;
    heard.length = 0;
    expect(
      await api.run(change, { input: { id: saved.id, tariffReference: 'T-9', expectedVersion: 1 } }),
    ).toMatchObject({
      updateMeteringPoint: { meteringPoint: { version: 2, customerReference: 'C-1', tariffReference: 'T-9' } },
    });
    await hear([meter]);
    expect(await api.failure(change, { input: { id: saved.id, name: 'x', expectedVersion: 1 } })).toMatchObject({
      code: 'CONFLICT',
      field: 'input.expectedVersion',
    });
    expect(await api.run('query ($id: ID!) { node(id: $id) { __typename id } }', { id: saved.id })).toEqual({
      node: { __typename: 'MeteringPoint', id: saved.id },
    });
  });

  it('cannot be deleted while they have installations, nor can their meters', async () => {
    const { id } = await point('kept');
    const meter = await insertMeter(api.database.pool, 'kept meter');
    const stay = await install(id, meter, '2026-01-01T00:00:00Z');
    const del = (kind: string, which: string) => `mutation { delete${kind}(input: {id: "${which}"}) { id } }`;
    expect((await api.failure(del('MeteringPoint', id))).message).toMatch(/is in use: 1 installation/);
    expect((await api.failure(del('MeterDevice', meter))).message).toMatch(/is in use: 1 installation/);
    await api.run(del('Installation', stay.id));
    await api.run(del('MeteringPoint', id));
    await api.run(del('MeterDevice', meter));
  });

  it('show who is there now and who was, and meters where they are, in pages', async () => {
    const { id } = await point('busy');
    const [gas, power, gone] = await Promise.all(
      ['gas', 'power', 'gone'].map((name) => insertMeter(api.database.pool, name)),
    );
    const old = await install(id, gone!, '2025-01-01T00:00:00Z', { startIndex: '00012.50' });
    await remove(old.id, '2026-01-01T00:00:00Z', { endIndex: '980' });
    await install(id, gas!, '2026-01-01T00:00:00Z');
    await install(id, power!, '2026-01-02T00:00:00Z');
    const later = await insertMeter(api.database.pool, 'later');
    await install(id, later, '2190-01-01T00:00:00Z');
    const shown = await api.run<{ meteringPoint: { installations: { pageInfo: { endCursor: string } } } }>(
      `query ($id: ID!, $gone: ID!, $gas: ID!) {
         meteringPoint(id: $id) { currentMeterDevice { id } currentMeterDevices { id }
           installations(first: 2) { totalCount nodes { startIndex endIndex meterDevice { name } } pageInfo { hasNextPage endCursor } } }
         gone: meterDevice(id: $gone) { meteringPoint { id } installations { nodes { removedAt meteringPoint { id } } } }
         gas: meterDevice(id: $gas) { meteringPoint { name } } }`,
      { id, gone, gas },
    );
    expect(shown).toMatchObject({
      meteringPoint: {
        currentMeterDevice: { id: power },
        currentMeterDevices: [{ id: power }, { id: gas }],
        installations: {
          totalCount: 4,
          nodes: [
            { startIndex: '12.5', endIndex: '980', meterDevice: { name: 'gone' } },
            { startIndex: null, endIndex: null, meterDevice: { name: 'gas' } },
          ],
          pageInfo: { hasNextPage: true },
        },
      },
      gone: {
        meteringPoint: null,
        installations: { nodes: [{ removedAt: '2026-01-01T00:00:00.000Z', meteringPoint: { id } }] },
      },
      gas: { meteringPoint: { name: 'busy' } },
    });
    const { endCursor } = shown.meteringPoint.installations.pageInfo;
    expect(
      await api.run(
        'query ($id: ID!, $after: String) { meteringPoint(id: $id) { installations(after: $after) { nodes { meterDevice { name } } } } }',
        { id, after: endCursor },
      ),
    ).toEqual({
      meteringPoint: {
        installations: { nodes: [{ meterDevice: { name: 'power' } }, { meterDevice: { name: 'later' } }] },
      },
    });
  });
});

describe('a meter', () => {
  it('is at one place at a time: the refusal names the installation and the place', async () => {
    const [a, b] = [await point('place a'), await point('place b')];
    const meter = await insertMeter(api.database.pool, 'moving');
    const first = await install(a.id, meter, '2026-01-01T00:00:00Z');
    const refused = await api.failure(INSTALL, {
      input: { meteringPoint: b.id, meterDevice: meter, installedAt: '2026-02-01T00:00:00Z' },
    });
    expect(refused).toMatchObject({ code: 'CONFLICT', field: 'input.installedAt' });
    expect(refused.message).toContain(first.id);
    expect(refused.message).toContain('"place a"');
    expect(
      await api.failure(REMOVE, { input: { installation: first.id, removedAt: '2026-01-01T00:00:00Z' } }),
    ).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.removedAt' });
    await remove(first.id, '2026-02-01T00:00:00Z');
    await install(b.id, meter, '2026-02-01T00:00:00Z');
    expect(
      await api.failure(REMOVE, { input: { installation: first.id, removedAt: '2026-03-01T00:00:00Z' } }),
    ).toMatchObject({ code: 'CONFLICT' });
    // Open again it would overlap the second.
    expect(await api.failure(UPDATE, { input: { id: first.id, removedAt: null } })).toMatchObject({
      code: 'CONFLICT',
      field: 'input.removedAt',
    });
    await api.run(UPDATE, { input: { id: first.id, removedAt: '2026-01-15T00:00:00Z', startIndex: '1' } });
  });

  it('goes to one of two places that want it at the same moment', async () => {
    const points = await Promise.all(['p1', 'p2', 'p3', 'p4'].map((name) => point(name)));
    const meter = await insertMeter(api.database.pool, 'wanted');
    const outcomes = await Promise.allSettled(points.map(({ id }) => install(id, meter, '2026-01-01T00:00:00Z')));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('of another organization, or its place, is not found', async () => {
    const { id } = await point('ours');
    const ours = await insertMeter(api.database.pool, 'ours');
    const theirs = await insertMeter(api.database.pool, 'theirs', { organization_id: OTHERS });
    const input = { meteringPoint: id, meterDevice: theirs, installedAt: '2026-01-01T00:00:00Z' };
    expect(await api.failure(INSTALL, { input })).toMatchObject({ code: 'NOT_FOUND', field: 'input.meterDevice' });
    const stay = await install(id, ours, '2026-01-01T00:00:00Z');
    const seen = await api.run(
      'query ($p: ID!, $i: ID!) { meteringPoint(id: $p) { id } node(id: $i) { id } meteringPoints { totalCount } }',
      { p: id, i: stay.id },
      OTHERS,
    );
    expect(seen).toEqual({ meteringPoint: null, node: null, meteringPoints: { totalCount: 0 } });
    await expect(
      api.services.installations.update(OTHERS, { id: stay.id, removedAt: new Date() }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('keeps to the rule whatever is entered in which order', async () => {
    const { id: place } = await point('anywhere');
    const day = (n: number) => new Date(Date.UTC(2026, 0, 1 + n));
    const DAYS = 15;
    const change = fc.record({
      kind: fc.constantFrom('install' as const, 'update' as const),
      which: fc.nat(3),
      from: fc.integer({ min: 0, max: DAYS - 1 }),
      length: fc.option(fc.integer({ min: 1, max: 6 })),
    });
    let number = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 8 }), async (changes) => {
        const meter = await insertMeter(api.database.pool, `any ${number++}`, { network_interface_id: null });
        const { installations } = api.services;
        const model: { id: string; days: Set<number> }[] = [];
        for (const { kind, which, from, length } of changes) {
          const target = kind === 'update' ? model[which] : undefined;
          const end = target ? (length === null ? Infinity : from + length) : Infinity;
          const days = new Set(Array.from({ length: DAYS + 10 }, (_, n) => n).filter((n) => n >= from && n < end));
          const isFree = model.every((other) => other === target || [...days].every((each) => !other.days.has(each)));
          try {
            const row = target
              ? await installations.update(DEFAULT_ORGANIZATION_ID, {
                  id: target.id,
                  installedAt: day(from),
                  removedAt: length === null ? null : day(from + length),
                })
              : await installations.install(DEFAULT_ORGANIZATION_ID, {
                  meterDevice: meter,
                  meteringPoint: place,
                  installedAt: day(from),
                });
            expect(isFree).toBe(true);
            if (target) target.days = days;
            else model.push({ id: row.id, days });
          } catch (error) {
            if (!(error instanceof InputError)) throw error;
            expect(error.code).toBe('CONFLICT');
            expect(isFree).toBe(false);
          }
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe('ingesters are told', () => {
  const pool = () => api.database.pool;

  it('of meters that were created, renamed, given other ratios, installed or deleted, and of those called alike', async () => {
    const { createMeterDevice: made } = await api.run<{ createMeterDevice: { meterDevice: { id: string } } }>(
      'mutation { createMeterDevice(input: {name: "told", serialNumber: "S-77"}) { meterDevice { id } } }',
    );
    const { id } = made.meterDevice;
    await hear([id]);
    const update = (input: object) =>
      api.run(
        'mutation ($input: UpdateMeterDeviceInput!) { updateMeterDevice(input: $input) { meterDevice { id } } }',
        {
          input: { id, ...input },
        },
      );
    await update({ currentTransformerRatio: '40' });
    await hear([id]);
    await update({ name: 'told again' });
    await hear([id]);
    // Ingesters do not keep it, but servers of the API do.
    await update({ manufacturer: 'somebody' });
    await hear([id]);
    const twin = await insertMeter(pool(), 'twin', { serial_number: 'S-78' });
    await update({ serialNumber: 'S-78' });
    await vi.waitFor(() => expect(heard).toHaveLength(1));
    expect((heard[0] as { meters: string[] }).meters.sort()).toEqual([id, twin].sort());
    heard.length = 0;
    const { id: place } = await point('told place');
    const stay = await install(place, id, '2026-01-01T00:00:00Z');
    await hear([id]);
    await api.run(`mutation { deleteInstallation(input: {id: "${stay.id}"}) { id } }`);
    await hear([id]);
    await api.run(`mutation { deleteMeterDevice(input: {id: "${id}"}) { id } }`);
    await hear([id]);
  });

  it('of series and of the policy, for the whole organization', async () => {
    const upsert = (more: string) =>
      api.run(`mutation { upsertSeries(input: {name: "told", ${more}}) { series { id } } }`);
    await upsert('multiplier: "10"');
    await hear(undefined);
    await upsert('description: "of no interest to them"');
    await upsert('affectedByCurrentTransformer: true');
    await vi.waitFor(() => expect(heard).toHaveLength(1));
    await hear(undefined);
    expect(await api.run('{ organization { id revisionPolicy } }')).toEqual({
      organization: { id: DEFAULT_ORGANIZATION_ID, revisionPolicy: 'KEEP_FIRST' },
    });
    const saved = await api.run(
      'mutation { updateOrganization(input: {revisionPolicy: TAKE_LATEST}) { organization { revisionPolicy } } }',
    );
    expect(saved).toEqual({ updateOrganization: { organization: { revisionPolicy: 'TAKE_LATEST' } } });
    await hear(undefined);
    expect(await api.run('{ organization { revisionPolicy } }', {}, OTHERS)).toEqual({
      organization: { revisionPolicy: 'KEEP_FIRST' },
    });
  });

  it('not of what was refused', async () => {
    await api.failure('mutation { createMeterDevice(input: {name: ""}) { meterDevice { id } } }');
    await api.run('mutation { upsertSeries(input: {name: "after", unit: "m3"}) { series { id } } }');
    await vi.waitFor(() => expect(heard).toHaveLength(1));
  });
});
