import fc from 'fast-check';
import { execute, parse, validate, type GraphQLSchema } from 'graphql';
import { beforeAll, describe, expect, it } from 'vitest';
import type { MeterDevice } from '../../entities/index.js';
import { MeterLifeCycle, ReadingOrigin } from '../../src/domain/enums.js';
import type { RequestContext } from '../../src/graphql/context.js';
import { MeterCache } from '../../src/graphql/meter-cache.js';
import { readingRenderer, type SubscriptionArgs } from '../../src/graphql/reading-renderers.js';
import { readingsOfColumns } from '../../src/graphql/reading-stream.js';
import type { LoggedBatch } from '../../src/graphql/recent-batches.js';
import { buildGraphqlSchema } from '../../src/graphql/schema.js';
import type { CommittedColumns } from '../../src/messaging/contracts.js';
import type { Services } from '../../src/services/index.js';

let schema: GraphQLSchema;
beforeAll(async () => {
  schema = await buildGraphqlSchema();
});

const METERS = ['01a2000a-66fe-7323-ac97-60bfda18f93b', '01a2000a-66fe-7323-ac97-60bfda18f93c'] as const;
const meterRow = (id: string, odd: boolean) =>
  ({
    id,
    name: odd ? 'EK280 "Süd"\u2028' : 'gas',
    serialNumber: odd ? null : '0042',
    manufacturer: null,
    model: odd ? 'EK280' : null,
    externalReference: null,
    protocolAddress: odd ? '1' : null,
    lifeCycle: MeterLifeCycle.ACTIVE,
    timeZone: 'Europe/Vienna',
    currentTransformerRatio: odd ? '40.000' : null,
    voltageTransformerRatio: null,
    version: 3,
    createdAt: new Date('2026-01-01T00:00:00Z'),
    updatedAt: new Date('2026-01-02T00:00:00.5Z'),
  }) as unknown as MeterDevice;
const rows = new Map(METERS.map((id, index) => [id as string, meterRow(id, index === 1)]));

/** Loads of meters by the executor and by the cache are counted apart. */
function world(known: ReadonlyMap<string, MeterDevice> = rows) {
  const loads: (readonly string[])[] = [];
  const byIds = async (_organization: string, ids: readonly string[]) => ids.flatMap((id) => known.get(id) ?? []);
  const meters = new MeterCache((organization, ids) => {
    loads.push(ids);
    return byIds(organization, ids);
  });
  const service = { byIds };
  const services = new Proxy({}, { get: () => service }) as Services;
  const contextValue = { organizationId: 'o', services } as unknown as RequestContext;
  return { meters, loads, contextValue };
}

const READING_LEAVES =
  'cursor series unit timestamp value quality origin receivedAt meteringPoint customerReference tariffReference revised late __typename'.split(
    ' ',
  );
const METER_LEAVES =
  'id name serialNumber manufacturer model externalReference protocolAddress timeZone currentTransformerRatio voltageTransformerRatio version createdAt updatedAt __typename'.split(
    ' ',
  );

const directive = fc.constantFrom(
  '',
  '',
  '',
  '@skip(if: $yes)',
  '@skip(if: $no)',
  '@include(if: $yes)',
  '@include(if: false)',
);
const leafOf = (names: readonly string[]) =>
  fc
    .tuple(fc.constantFrom(...names), fc.boolean(), directive)
    .map(([name, alias, condition]) => `${alias ? `a_${name}: ` : ''}${name} ${condition}`);
const meterSelection = fc
  .array(
    fc.oneof(
      leafOf(METER_LEAVES),
      fc.constant('...M'),
      leafOf(METER_LEAVES).map((leaf) => `... on MeterDevice { ${leaf} }`),
      leafOf(['id', '__typename']).map((leaf) => `... on Node { ${leaf} }`),
    ),
    { maxLength: 5 },
  )
  .map((fields) => `meterDevice { version ${fields.join(' ')} }`);
const readingSelection = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: leafOf(READING_LEAVES) },
    meterSelection,
    fc.tuple(leafOf(READING_LEAVES), directive).map(([leaf, condition]) => `... ${condition} { ${leaf} }`),
    fc.constant('...R'),
  ),
  { minLength: 1, maxLength: 8 },
);
const document = fc.tuple(readingSelection, fc.boolean()).map(
  ([fields, alias]) => `subscription S($yes: Boolean!, $no: Boolean = false, $meter: [ID!]) {
    ${alias ? 'live: ' : ''}meterReadingAdded(filter: { meterDevices: $meter }) { ${fields.join(' ')} ...R @include(if: false) value @skip(if: $no) value @include(if: $yes) }
  }
  fragment R on MeterReading { late meterDevice { ...M } unit }
  fragment M on MeterDevice { n: name model }`,
);

const column: fc.Arbitrary<CommittedColumns> = fc
  .record({
    meter: fc.constantFrom(...METERS),
    series: fc.constantFrom('2:300', 'Zähler "1"\n'),
    unit: fc.constantFrom(null, 'm3', 'm³'),
    origin: fc.constantFrom(...Object.values(ReadingOrigin)),
    place: fc.constantFrom(
      undefined,
      { metering_point: METERS[0], customer: null, tariff: 'T"1' },
      { metering_point: METERS[1], customer: 'C', tariff: null },
    ),
    revised: fc.constantFrom(undefined, true, false),
    readings: fc.array(
      fc.record({
        t: fc.integer({ min: 0, max: 4_000_000_000_000 }),
        v: fc.constantFrom('0', '-1.50', '9000.1250'),
        q: fc.constantFrom(0, 1, 40, 1024),
        late: fc.boolean(),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  })
  .map(({ readings, ...rest }) => ({
    register: 1,
    ...rest,
    late: readings.flatMap(({ late }, index) => (late ? [index] : [])),
    t: readings.map(({ t }) => t),
    v: readings.map(({ v }) => v),
    q: readings.map(({ q }) => q),
  }));
const batch: fc.Arbitrary<LoggedBatch> = fc
  .tuple(fc.array(column, { minLength: 1, maxLength: 4 }), fc.integer({ min: 1, max: 2 ** 40 }))
  .map(([columns, position]) => ({
    position,
    organization: 'o',
    bytes: 1,
    batch: { received_at: 1_769_850_000_123, columns },
  }));

const argsOf = (source: string, contextValue: RequestContext): SubscriptionArgs => ({
  schema,
  document: parse(source),
  variableValues: { yes: true },
  contextValue,
});
const formatError = (error: unknown) => ({ message: (error as Error).message });

async function executed(args: SubscriptionArgs, entry: LoggedBatch): Promise<string[]> {
  const { createLoaders } = await import('../../src/graphql/loaders.js');
  const loaders = createLoaders(args.contextValue.services, 'o');
  const readings = [...readingsOfColumns(entry, new Set(entry.batch.columns.keys())).values()].flat();
  return Promise.all(
    readings.map(async (rootValue) => {
      const { errors, ...result } = await execute({
        ...args,
        rootValue,
        contextValue: { ...args.contextValue, loaders },
      });
      return JSON.stringify({ ...result, ...(errors && { errors: errors.map(formatError) }) });
    }),
  );
}
async function rendered(args: SubscriptionArgs, entry: LoggedBatch, meters: MeterCache): Promise<string[]> {
  const renderer = readingRenderer(args, { meters, formatError });
  return [...(await renderer.render(entry, [...entry.batch.columns.keys()])).values()].flat();
}

describe('readings written from columns', () => {
  it('are what the executor answers, byte for byte, whatever is selected', async () => {
    await fc.assert(
      fc.asyncProperty(document, batch, async (source, entry) => {
        const { meters, contextValue } = world();
        const args = argsOf(source, contextValue);
        expect(validate(schema, args.document)).toEqual([]);
        expect(readingRenderer(args, { meters, formatError }).key).toMatch(/^written/);
        expect(await rendered(args, entry, meters)).toEqual(await executed(args, entry));
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  const entry: LoggedBatch = {
    position: 7,
    organization: 'o',
    bytes: 1,
    batch: {
      received_at: 0,
      columns: METERS.map((meter) => ({
        register: 1,
        meter,
        series: 's',
        unit: null,
        origin: ReadingOrigin.PUSH,
        t: [0],
        v: ['1'],
        q: [0],
      })),
    },
  };
  const WITH_METER = 'subscription { meterReadingAdded { value meterDevice { name } } }';

  it('load the meters of a batch together, and known ones not again', async () => {
    const { meters, loads, contextValue } = world();
    const args = argsOf(WITH_METER, contextValue);
    await rendered(args, entry, meters);
    await rendered(args, entry, meters);
    expect(loads).toEqual([[...METERS]]);
    meters.forget('o', [METERS[1]]);
    await rendered(args, entry, meters);
    expect(loads.slice(1)).toEqual([[METERS[1]]]);
    meters.forget('o');
    await rendered(args, entry, meters);
    expect(loads.slice(2)).toEqual([[...METERS]]);
  });

  it('of a meter that is gone are answered by the executor, with its error', async () => {
    const { meters, contextValue } = world(new Map([[METERS[0], rows.get(METERS[0])!]]));
    const args = argsOf(WITH_METER, contextValue);
    const [first, second] = await rendered(args, entry, meters);
    expect(first).toBe('{"data":{"meterReadingAdded":{"value":"1","meterDevice":{"name":"gas"}}}}');
    expect(JSON.parse(second!)).toMatchObject({
      data: null,
      errors: [{ message: expect.stringContaining('non-nullable') as string }],
    });
  });

  it.each([
    ['the filter differs', 'meterReadingAdded(filter: {series: ["a"]}) { value }', 'meterReadingAdded { value }', true],
    [
      'a fragment says it',
      '... on Subscription { meterReadingAdded { ... { value } } }',
      'meterReadingAdded { value }',
      true,
    ],
    ['an alias differs', 'meterReadingAdded { v: value }', 'meterReadingAdded { value }', false],
    ['the order differs', 'meterReadingAdded { unit value }', 'meterReadingAdded { value unit }', false],
    [
      'the executor answers both',
      'meterReadingAdded(filter: {series: ["a"]}) { meterDevice { lifeCycle } }',
      'meterReadingAdded { meterDevice { lifeCycle } }',
      true,
    ],
  ])('are shared or not where %s', (_title, one, other, same) => {
    const { meters, contextValue } = world();
    const keyOf = (selection: string) =>
      readingRenderer(argsOf(`subscription { ${selection} }`, contextValue), { meters, formatError }).key;
    expect(keyOf(one) === keyOf(other)).toBe(same);
  });

  it('are shared by the values of variables that are seen, not by those of the filter', () => {
    const { meters, contextValue } = world();
    const keyOf = (variableValues: Record<string, unknown>) => {
      const args = argsOf(
        'subscription ($series: [String!], $deep: Boolean = true) { meterReadingAdded(filter: {series: $series}) { value meterDevice { lifeCycle @include(if: $deep) } } }',
        contextValue,
      );
      return readingRenderer({ ...args, variableValues }, { meters, formatError }).key;
    };
    expect(keyOf({ series: ['a'] })).toBe(keyOf({ series: ['b'], deep: true }));
    expect(keyOf({ deep: true })).not.toBe(keyOf({ deep: false }));
  });
});
