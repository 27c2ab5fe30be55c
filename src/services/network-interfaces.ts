import { isIP } from 'node:net';
import { z } from 'zod';
import { InterfaceBreaker, NetworkInterface, Segment } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import { NetworkInterfaceKind } from '../domain/enums.js';
import type { NetworkInterfaceOrderField } from '../domain/orderings.js';
import { InputError } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { enumeration, id, merged, name, parseInput, text, whole } from './input.js';
import type { NameSelection } from './name-filter.js';
import type { OrderBy, Orderings } from './ordering.js';
import type { Page, PageRequest } from './page.js';
import { announceWithdrawn, countOpenRuns, withdrawRuns, type Withdrawn } from './run-withdrawal.js';
import { countRows, requireOne, TenantService, type Deletion } from './tenant-service.js';
import { use } from './uses.js';

/** A label has no dot, so that a name can be cut into labels in one way only: matching takes no time to speak of. */
const LABEL = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?';
const HOST_NAME = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*\\.?$`);
const hostRule = 'must be a host name or an IP address, without scheme and port';

const InterfaceFields = z.object({
  name,
  kind: enumeration(NetworkInterfaceKind),
  host: z.string({ error: hostRule }).refine(isHost, { error: hostRule }).nullable().default(null),
  port: whole(1, 65_535).nullable().default(null),
  serialPath: text(255).nullable().default(null),
  baudRate: whole(50, 4_000_000).nullable().default(null),
  segment: id.nullable().default(null),
});
export type CreateNetworkInterface = z.input<typeof InterfaceFields>;
export type UpdateNetworkInterface = Partial<Omit<CreateNetworkInterface, 'kind'>> & {
  id: string;
  expectedVersion?: number | null;
};

export interface NetworkInterfaceSelection extends NameSelection {
  ids?: string[] | null;
  kind?: NetworkInterfaceKind | null;
  host?: string | null;
  segment?: string | null;
  isBusy?: boolean | null;
  isHeld?: boolean | null;
  updatedSince?: Date | null;
}

const ORDERINGS: Orderings<NetworkInterfaceOrderField> = {
  CREATED_AT: 'id',
  UPDATED_AT: { column: 'updated_at', type: 'timestamptz' },
  NAME: { column: 'name', type: 'text' },
};

const RUNS_OF_INTERFACE = 'r.meter_device_id in (select id from meter_device where network_interface_id = ?)';

/** Sessions in a row that did not reach an interface. */
export interface InterfaceHold {
  failures: number;
  openUntil: Date | null;
  errorMessage: string;
}

/** The ways to meters. */
export class NetworkInterfaceService extends TenantService<NetworkInterface> {
  constructor(
    database: Database,
    private readonly broker: Broker,
  ) {
    super(database, NetworkInterface, 'NetworkInterface', ORDERINGS);
  }

  page(
    organizationId: string,
    request: PageRequest,
    selection: NetworkInterfaceSelection = {},
    orderBy?: OrderBy<NetworkInterfaceOrderField> | null,
  ): Promise<Page<NetworkInterface>> {
    const { ids, kind, host, segment, isBusy, isHeld, updatedSince } = selection;
    return this.list({
      organizationId,
      request,
      orderBy,
      where: (conditions) =>
        conditions
          .ids('t.id', ids)
          .name('t', selection)
          .equals('t.kind', kind)
          .equals('t.host', host)
          .id('t.segment_id', segment)
          .whether(isBusy, 't.id in (select network_interface_id from poll_session where closed_at is null)')
          .whether(isHeld, 't.id in (select network_interface_id from interface_breaker where open_until > now())')
          .between('t.updated_at', updatedSince, null),
    });
  }

  create(organizationId: string, input: CreateNetworkInterface): Promise<NetworkInterface> {
    const { segment, ...fields } = parseInterface(input);
    return this.insert(organizationId, fields.name, async (em) =>
      em.create(NetworkInterface, {
        ...fields,
        organization: organizationId,
        segment: await requireOne(em, Segment, 'Segment', organizationId, segment, 'input.segment'),
      }),
    );
  }

  update(
    organizationId: string,
    { id, expectedVersion, ...changes }: UpdateNetworkInterface,
  ): Promise<NetworkInterface> {
    return this.edit(organizationId, { id, expectedVersion, name: changes.name }, async (em, row) => {
      const current = { ...pickConnection(row), name: row.name, kind: row.kind, segment: row.segment?.id ?? null };
      const { segment, ...fields } = parseInterface(merged(current, changes));
      // What did not reach the old address says nothing about the new one.
      if (fields.host !== row.host || fields.port !== row.port)
        await em.nativeDelete(InterfaceBreaker, { networkInterface: row.id });
      em.assign(row, {
        ...fields,
        segment: await requireOne(em, Segment, 'Segment', organizationId, segment, 'input.segment'),
      });
    });
  }

  /**
   * Refused while meters are reached over it, and once sessions ran over it. By force its meters have none, what waits for
   * them is cancelled, and the record of its sessions goes; never while one is open, as a poller may be at a meter.
   */
  async delete(organizationId: string, deletion: Deletion): Promise<{ id: string }> {
    let withdrawn: Withdrawn | undefined;
    const deleted = await this.remove(organizationId, deletion, {
      uses: async (em, { id }) => {
        const count = (what: string) => countRows(em, `select count(*) as count from ${what}`, [id]);
        const open = await count('poll_session where network_interface_id = ? and closed_at is null');
        if (open > 0)
          return { never: 'has a session open: a poller may be at a meter. Retry when it has ended.', links: [] };
        const runs = await countOpenRuns(em, RUNS_OF_INTERFACE, [id]);
        return {
          links: [
            ...use(
              await count('meter_device where network_interface_id = ?'),
              ['meter', 'meters'],
              'which could no longer be reached',
            ),
            ...use(runs, ['run that has not ended', 'runs that have not ended'], 'which would be cancelled'),
            ...use(
              await count('poll_session where network_interface_id = ?'),
              ['session', 'sessions'],
              'whose record would be lost',
            ),
          ],
          cure: 'Give its meters another interface, or rename it',
        };
      },
      unlink: async (em, { id }) => {
        withdrawn = await withdrawRuns(em, RUNS_OF_INTERFACE, [id], 'cancelled, as its network interface was deleted');
        const released = await em.execute<{ id: string }[]>(
          'update meter_device set network_interface_id = null, version = version + 1, updated_at = now() where network_interface_id = ? returning id',
          [id],
        );
        const sessions = await em.execute<{ id: string }[]>(
          'delete from poll_session where network_interface_id = ? returning id',
          [id],
        );
        return {
          metersReleased: released.length,
          sessionsDeleted: sessions.length,
          cancelledRuns: withdrawn.cancelled,
          cancelRequestedRuns: withdrawn.requested,
        };
      },
    });
    if (withdrawn) await announceWithdrawn(this.broker, withdrawn);
    return deleted;
  }

  /** What is known of the sessions that did not reach them; interfaces that were reached are left out. */
  async holds(ids: readonly string[]): Promise<Map<string, InterfaceHold>> {
    const { rows } = await this.database.pool.query<InterfaceHold & { id: string }>(
      `select network_interface_id as id, failures, open_until as "openUntil", error_message as "errorMessage"
       from interface_breaker where network_interface_id = any($1::uuid[])`,
      [ids],
    );
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** Which of `ids` have an open session now. */
  async busy(ids: readonly string[]): Promise<Set<string>> {
    const { rows } = await this.database.pool.query<{ id: string }>(
      'select network_interface_id as id from poll_session where closed_at is null and network_interface_id = any($1::uuid[])',
      [ids],
    );
    return new Set(rows.map(({ id }) => id));
  }
}

/** A host name (RFC 1123, 2.1), or an IPv4 or IPv6 address without brackets. Numbers and dots alone are an address or nothing. */
function isHost(text: string): boolean {
  return isIP(text) !== 0 ? text.length <= 253 : HOST_NAME.test(text) && !/^[\d.]+$/.test(text);
}

function pickConnection({ host, port, serialPath, baudRate }: NetworkInterface) {
  return { host, port, serialPath, baudRate };
}

/** Besides each field, what belongs together: pollers open TCP connections only. */
function parseInterface(input: unknown): z.output<typeof InterfaceFields> {
  const fields = parseInput(InterfaceFields, input);
  const refuse = (field: string, message: string) =>
    new InputError('BAD_USER_INPUT', `input.${field} ${message}.`, `input.${field}`);
  if (fields.kind !== NetworkInterfaceKind.TCP) {
    throw refuse('kind', 'must be TCP: only TCP interfaces can be used; reach serial lines through a device server');
  }
  if (fields.host === null) throw refuse('host', 'is needed by a TCP interface');
  if (fields.port === null) throw refuse('port', 'is needed by a TCP interface');
  if (fields.serialPath !== null) throw refuse('serialPath', 'does not apply to a TCP interface');
  if (fields.baudRate !== null) throw refuse('baudRate', 'does not apply to a TCP interface');
  return fields;
}
