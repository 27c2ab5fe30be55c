import type pg from 'pg';
import { isUuid } from '../domain/uuid.js';
import type { ImportItem } from './meter-import-items.js';
import type { KnownLinks, KnownMeter, PlannedMeter } from './meter-import-plan.js';

/** First half of the advisory lock of imports; the second is the organization's. */
const IMPORT_LOCK = 7_265_010;
/** Meters called alike that are told of; ingesters look at others again by themselves. */
const MOST_NAMESAKES = 1_000;

/** One import of an organization at a time, until the transaction ends. */
export async function lockImports(client: pg.ClientBase, organization: string): Promise<void> {
  await client.query('select pg_advisory_xact_lock($1, hashtext($2))', [IMPORT_LOCK, organization]);
}

/** What the items refer to. It cannot be deleted before the transaction ends. */
export async function lockKnownLinks(
  client: pg.ClientBase,
  organization: string,
  items: readonly ImportItem[],
): Promise<KnownLinks> {
  const wanted = (of: (item: ImportItem) => readonly string[] | null | undefined) =>
    new Set(items.flatMap((item) => of(item) ?? []).map((called) => called.trim()));
  const look = async (table: string, called: ReadonlySet<string>) => {
    const found = new Map<string, string>();
    if (called.size === 0) return found;
    const { rows } = await client.query<{ id: string; name: string }>(
      `select id, name from ${table} where organization_id = $1 and (id = any($2::uuid[]) or name = any($3::text[]))
       order by id for key share`,
      [organization, [...called].filter(isUuid), [...called]],
    );
    for (const { id, name } of rows) found.set(name, id);
    const ids = new Set(rows.map(({ id }) => id));
    for (const text of called) if (ids.has(text.toLowerCase())) found.set(text, text.toLowerCase());
    return found;
  };
  return {
    networkInterface: await look(
      'network_interface',
      wanted(({ links }) => (links.networkInterface == null ? [] : [links.networkInterface])),
    ),
    taskGroups: await look(
      'amr_task_group',
      wanted(({ links }) => links.taskGroups),
    ),
    meterTasks: await look(
      'amr_task',
      wanted(({ links }) => links.meterTasks),
    ),
  };
}

/** The meters that have a name or a reference of the items, locked until the transaction ends. */
export async function lockKnownMeters(
  client: pg.ClientBase,
  organization: string,
  items: readonly ImportItem[],
): Promise<KnownMeter[]> {
  const names = items.map(({ given }) => given.name);
  const references = items.flatMap(({ given }) => given.externalReference ?? []);
  const { rows } = await client.query<Omit<KnownMeter, 'taskGroups' | 'meterTasks'>>(
    `select id, name, serial_number as "serialNumber", manufacturer, model, external_reference as "externalReference",
       protocol_address as "protocolAddress", time_zone as "timeZone", current_transformer_ratio as "currentTransformerRatio",
       voltage_transformer_ratio as "voltageTransformerRatio", network_interface_id as "networkInterface"
     from meter_device
     where id in (
       select id from meter_device where organization_id = $1 and name = any($2::text[])
       union all
       select id from meter_device where organization_id = $1 and external_reference = any($3::text[]))
     order by id for no key update`,
    [organization, names, references],
  );
  const ids = rows.map(({ id }) => id);
  const groups = await linksOf(client, 'meter_device_task_groups', 'amr_task_group_id', ids);
  const tasks = await linksOf(client, 'meter_device_meter_tasks', 'amr_task_id', ids);
  return rows.map((row) => ({ ...row, taskGroups: groups.get(row.id) ?? [], meterTasks: tasks.get(row.id) ?? [] }));
}

async function linksOf(
  client: pg.ClientBase,
  table: string,
  column: string,
  meters: readonly string[],
): Promise<Map<string, string[]>> {
  const { rows } = await client.query<{ meter: string; links: string[] }>(
    `select meter_device_id as meter, array_agg(${column}::text) as links from ${table}
     where meter_device_id = any($1::uuid[]) group by 1`,
    [meters],
  );
  return new Map(rows.map(({ meter, links }) => [meter, links]));
}

/**
 * Creates and changes meters and their links.
 * @param boxes sealed credentials by meter, null where they are removed; those of others stay
 * @returns ids of meters that were not created, as their name was taken meanwhile
 */
export async function writeMeters(
  client: pg.ClientBase,
  organization: string,
  planned: readonly PlannedMeter[],
  boxes: ReadonlyMap<string, Buffer | null>,
): Promise<ReadonlySet<string>> {
  // In the order of names, which every import keeps: two of them wait for each other's keys and never in a circle.
  const created = planned.filter(({ before }) => !before).sort((a, b) => (a.fields.name < b.fields.name ? -1 : 1));
  const { rows } = await client.query<{ id: string }>(
    `insert into meter_device (organization_id, id, name, serial_number, manufacturer, model, external_reference,
       protocol_address, time_zone, current_transformer_ratio, voltage_transformer_ratio, network_interface_id, credentials)
     select $1, ${COLUMNS}, u.credentials from ${ROWS}
     on conflict (organization_id, name) do nothing returning id`,
    [organization, ...columns(created, boxes)],
  );
  const stored = new Set(rows.map(({ id }) => id));
  const taken = new Set(created.map(({ id }) => id).filter((id) => !stored.has(id)));
  const updated = planned.filter(({ before }) => before);
  await client.query(
    `update meter_device m set
       (name, serial_number, manufacturer, model, external_reference, protocol_address, time_zone, current_transformer_ratio,
        voltage_transformer_ratio, network_interface_id)
       = (${COLUMNS.replace('u.id, ', '')}),
       credentials = case when u.sets then u.credentials else m.credentials end,
       credentials_rejected_at = case when u.sets then null else m.credentials_rejected_at end,
       version = m.version + 1, updated_at = now()
     from ${ROWS} where m.organization_id = $1 and m.id = u.id`,
    [organization, ...columns(updated, boxes)],
  );
  const present = planned.filter(({ id }) => !taken.has(id));
  await writeLinks(client, 'meter_device_task_groups', 'amr_task_group_id', present, ({ taskGroups }) => taskGroups);
  await writeLinks(client, 'meter_device_meter_tasks', 'amr_task_id', present, ({ meterTasks }) => meterTasks);
  return taken;
}

const COLUMNS = `u.id, u.name, u.serial_number, u.manufacturer, u.model, u.external_reference, u.protocol_address, u.time_zone,
  u.current_transformer_ratio, u.voltage_transformer_ratio, u.network_interface_id`;
const ROWS = `unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
  $10::numeric[], $11::numeric[], $12::uuid[], $13::boolean[], $14::bytea[]) as u (id, name, serial_number, manufacturer, model,
  external_reference, protocol_address, time_zone, current_transformer_ratio, voltage_transformer_ratio, network_interface_id,
  sets, credentials)`;

function columns(planned: readonly PlannedMeter[], boxes: ReadonlyMap<string, Buffer | null>): unknown[][] {
  return [
    planned.map(({ id }) => id),
    planned.map(({ fields }) => fields.name),
    planned.map(({ fields }) => fields.serialNumber),
    planned.map(({ fields }) => fields.manufacturer),
    planned.map(({ fields }) => fields.model),
    planned.map(({ fields }) => fields.externalReference),
    planned.map(({ fields }) => fields.protocolAddress),
    planned.map(({ fields }) => fields.timeZone),
    planned.map(({ fields }) => fields.currentTransformerRatio),
    planned.map(({ fields }) => fields.voltageTransformerRatio),
    planned.map(({ networkInterface }) => networkInterface),
    planned.map(({ id }) => boxes.has(id)),
    planned.map(({ id }) => boxes.get(id) ?? null),
  ];
}

async function writeLinks(
  client: pg.ClientBase,
  table: string,
  column: string,
  planned: readonly PlannedMeter[],
  linksOf: (meter: PlannedMeter) => readonly string[] | undefined,
): Promise<void> {
  const given = planned.filter((meter) => linksOf(meter) !== undefined);
  if (given.length === 0) return;
  const pairs = given.flatMap((meter) => linksOf(meter)!.map((link) => [meter.id, link] as const));
  const wanted = [pairs.map(([meter]) => meter), pairs.map(([, link]) => link)];
  await client.query(
    `delete from ${table} t where t.meter_device_id = any($3::uuid[]) and not exists (
       select from unnest($1::uuid[], $2::uuid[]) as w (meter, link) where w.meter = t.meter_device_id and w.link = t.${column})`,
    [...wanted, given.filter(({ before }) => before).map(({ id }) => id)],
  );
  await client.query(
    `insert into ${table} (meter_device_id, ${column}) select * from unnest($1::uuid[], $2::uuid[]) order by 1, 2
     on conflict do nothing`,
    wanted,
  );
}

/** Meters that are, or were, called as these are: a serial number that a second meter gets names neither any more. */
export async function namesakesOf(
  pool: Pick<pg.Pool, 'query'>,
  organization: string,
  planned: readonly PlannedMeter[],
): Promise<string[]> {
  const names = new Set<string>();
  for (const { fields, before } of planned) {
    for (const name of [fields.name, fields.serialNumber, before?.name, before?.serialNumber])
      if (name) names.add(name);
  }
  const { rows } = await pool.query<{ id: string }>(
    `select id from meter_device where organization_id = $1 and name = any($2::text[]) and not id = any($3::uuid[])
     union select id from meter_device where organization_id = $1 and serial_number = any($2::text[]) and not id = any($3::uuid[])
     limit ${MOST_NAMESAKES}`,
    [organization, [...names], planned.map(({ id }) => id)],
  );
  return rows.map(({ id }) => id);
}
