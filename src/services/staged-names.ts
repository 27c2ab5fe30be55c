import type pg from 'pg';
import { inTransaction } from '../db/database.js';
import { planInIndexOrder } from '../db/plans.js';

/** What messages call a meter, as it stands in staged readings. */
export interface StagedName {
  readonly organization: string;
  readonly meter: string;
}

/** A staged name with the id of the meter that has it by now. */
export interface KnownName extends StagedName {
  readonly target: string;
}

/** Names in one look: some tens of milliseconds. */
const NAMES = 2_000;
const BEFORE_ALL: StagedName = { organization: '00000000-0000-0000-0000-000000000000', meter: '' };

/**
 * The names under which readings wait, a page at a time, with the meters that have them by now. From name to name by the
 * key of the table: of the readings of a name one is looked at, however many wait.
 */
export async function* knownNames(pool: pg.Pool): AsyncGenerator<KnownName[]> {
  for (let last: StagedName | undefined = BEFORE_ALL; last !== undefined;) {
    const rows = await inTransaction(pool, (client) => lookFrom(client, last!));
    const known = rows.filter((row): row is KnownName => row.target !== null);
    if (known.length > 0) yield known;
    last = rows.length === NAMES ? rows.at(-1) : undefined;
  }
}

async function lookFrom(
  client: pg.ClientBase,
  { organization, meter }: StagedName,
): Promise<(StagedName & { target: string | null })[]> {
  // The stage may just have filled up, unknown to the planner.
  await planInIndexOrder(client);
  const { rows } = await client.query<StagedName & { target: string | null }>(
    `with recursive names as (
       (select organization_id, meter, 1 as place from staged_reading
        where (organization_id, meter) > ($1::uuid, $2::text) order by organization_id, meter limit 1)
       union all
       select next.organization_id, next.meter, names.place + 1
       from names cross join lateral (
         select s.organization_id, s.meter from staged_reading s
         where (s.organization_id, s.meter) > (names.organization_id, names.meter)
         order by s.organization_id, s.meter limit 1) next
       where names.place < $3)
     select n.organization_id as organization, n.meter, ${METER_OF_NAME} as target from names n order by n.place`,
    [organization, meter, NAMES],
  );
  return rows;
}

/** The names under which readings of these meters may wait: id, name, and the serial number where no other meter has it. */
export async function namesOfMeters(
  pool: Pick<pg.Pool, 'query'>,
  organization: string,
  meters: readonly string[],
): Promise<KnownName[]> {
  const { rows } = await pool.query<KnownName>(
    `select n.organization_id as organization, n.meter, ${METER_OF_NAME} as target
     from (
       select m.organization_id, name.meter
       from meter_device m
       cross join lateral (values (m.id::text), (upper(m.id::text)), (m.name), (m.serial_number)) as name (meter)
       where m.organization_id = $1 and m.id = any($2::uuid[]) and name.meter is not null) n`,
    [organization, meters],
  );
  return rows.filter(({ target }) => target !== null);
}

// As ingesters look: an id wins over a name that looks like one, a name over a serial number, and a serial number that two
// meters have names neither. Ids are compared as such and not as text, so that each look-up goes by an index.
const METER_OF_NAME = `coalesce(
  (select d.id from meter_device d
   where d.organization_id = n.organization_id
     and d.id = case when n.meter ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then n.meter::uuid end),
  (select d.id from meter_device d where d.organization_id = n.organization_id and d.name = n.meter),
  (select (array_agg(d.id))[1] from (
     select id from meter_device where organization_id = n.organization_id and serial_number = n.meter limit 2) d
   having count(*) = 1))`;
