import {
  getNamedType,
  isCompositeType,
  isListType,
  isNonNullType,
  isObjectType,
  type GraphQLField,
  type GraphQLObjectType,
} from 'graphql';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_ORGANIZATION_ID as ORGANIZATION } from '../../src/domain/organization.js';
import { uuidAt } from '../../src/domain/uuid.js';
import { buildGraphqlSchema } from '../../src/graphql/schema.js';
import { createTestApi, type TestApi } from '../support/api.js';
import { testBrokers } from '../support/broker.js';
import {
  assignTask,
  insertDueRun,
  insertGroup,
  insertInterface,
  insertMeter,
  insertSegment,
  insertTask,
} from '../support/rows.js';
import { statementsOf } from '../support/statements.js';

const schema = await buildGraphqlSchema();
/** Lists whose rows need arguments of their own, or that have none here. */
const LISTS = Object.values(schema.getQueryType()!.getFields())
  .filter(({ type, args }) => /Connection!$/.test(String(type)) && !args.some(({ type: of }) => isNonNullType(of)))
  .map(({ name }) => name);
const PERIOD = 'from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z"';
const ROWS = 50;

const brokers = testBrokers('memory:');
let api: TestApi;

beforeAll(async () => {
  api = await createTestApi(await brokers.open());
  const { pool } = api.database;
  for (let n = 0; n < ROWS; n++) {
    const segment = await insertSegment(pool, `segment ${n}`);
    const line = await insertInterface(pool, `line ${n}`, { segment_id: segment });
    const meter = await insertMeter(pool, `meter ${n}`, { network_interface_id: line });
    const task = await insertTask(pool, `task ${n}`);
    await assignTask(pool, meter, task);
    await insertGroup(pool, `group ${n}`, [task], [meter]);
    await insertDueRun(pool, meter, { amr_task_id: task });
    await pool.query(
      `with p as (insert into metering_point (id, organization_id, name) values ($1, $4, $2) returning id),
         s as (insert into series (id, organization_id, name) values ($5, $4, $2) returning id),
         r as (insert into register (meter_device_id, series_id) select $3, id from s returning id)
       insert into installation (id, organization_id, metering_point_id, meter_device_id, installed_at)
       select $6, $4, id, $3, '2026-01-01' from p`,
      [uuidAt(), `row ${n}`, meter, ORGANIZATION, uuidAt(), uuidAt()],
    );
    await pool.query(
      `insert into dead_letter (id, organization_id, queue, reason, fingerprint, digest, body, size)
       values ($1, $2, 'readings.new', 'wrong', 'wrong', $3, '{}', 2)`,
      [uuidAt(), ORGANIZATION, Buffer.from(`${n}`)],
    );
    await pool.query(
      `insert into alert (id, organization_id, kind, subject, severity, message) values ($1, $2, 'loss', $3, 'warning', 'lost')`,
      [uuidAt(), ORGANIZATION, `${n}`],
    );
    await pool.query(
      `insert into audit_entry (id, organization_id, actor, action, subject_type) values ($1, $2, 'a', 'b', 'c')`,
      [uuidAt(), ORGANIZATION],
    );
    await pool.query(
      `insert into api_token (id, organization_id, name, role, digest) values ($1, $2, $3, 'viewer', $3)`,
      [uuidAt(), ORGANIZATION, `token ${n}`],
    );
    await pool.query(
      `insert into staged_reading (organization_id, meter, series, measured_at, value, origin, received_at)
       values ($1, $2, 's', now(), 1, 0, now())`,
      [ORGANIZATION, `unknown ${n}`],
    );
  }
});
afterAll(async () => {
  await api?.drop();
  await brokers.dispose();
});

/** Every field of a type: relations to the depth given, nested connections with three rows each and their count. */
function everything(type: GraphQLObjectType, depth: number): string {
  return Object.values(type.getFields())
    .flatMap((field) => selectionOf(field, depth))
    .join(' ');
}

function selectionOf(field: GraphQLField<unknown, unknown>, depth: number): string[] {
  const target = getNamedType(field.type);
  const required = field.args.filter(({ type }) => isNonNullType(type)).map(({ name }) => name);
  if (required.some((name) => name !== 'from' && name !== 'to')) return [];
  const args = [required.length > 0 && PERIOD, field.args.some(({ name }) => name === 'first') && 'first: 3'].filter(
    Boolean,
  );
  const call = `${field.name}${args.length > 0 ? `(${args.join(', ')})` : ''}`;
  if (!isCompositeType(target)) return [call];
  if (depth === 0 || !isObjectType(target)) return [];
  // A connection is no level of its own.
  const inner = everything(
    target,
    target.name.endsWith('Connection') || target.name === 'PageInfo' ? depth : depth - 1,
  );
  return inner === '' ? [] : [`${call} { ${inner} }`];
}

it.each(LISTS)('%s with all its relations takes as many statements for fifty rows as for five', async (list) => {
  const connection = getNamedType(schema.getQueryType()!.getFields()[list]!.type) as GraphQLObjectType;
  const nodes = connection.getFields()['nodes']!.type;
  const node = getNamedType(isNonNullType(nodes) ? nodes.ofType : nodes) as GraphQLObjectType;
  expect(isListType(isNonNullType(nodes) ? nodes.ofType : nodes)).toBe(true);
  const query = `query ($first: Int!) { ${list}(first: $first) { totalCount nodes { ${everything(node, 2)} } } }`;
  const ask = async (first: number) => {
    const { statements, result } = await statementsOf(() =>
      api.run<Record<string, { nodes: unknown[] }>>(query, { first }),
    );
    expect(result[list]!.nodes).toHaveLength(first);
    return statements;
  };
  const five = await ask(5);
  const fifty = await ask(ROWS);
  expect(fifty.length, fifty.join('\n')).toBe(five.length);
});
