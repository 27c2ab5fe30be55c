import { isIP } from 'node:net';
import { z } from 'zod';
import { InterfaceBreaker, NetworkInterface, Segment } from '../../entities/index.js';
import type { Database } from '../db/database.js';
import { NetworkInterfaceKind } from '../domain/enums.js';
import { InputError } from '../errors.js';
import { enumeration, id, merged, name, parseInput, text, whole } from './input.js';
import type { Page, PageRequest } from './page.js';
import { countRows, requireOne, TenantService } from './tenant-service.js';

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
export type UpdateNetworkInterface = Partial<Omit<CreateNetworkInterface, 'kind'>> & { id: string };

/** Sessions in a row that did not reach an interface. */
export interface InterfaceHold {
  failures: number;
  openUntil: Date | null;
  errorMessage: string;
}

/** The ways to meters. */
export class NetworkInterfaceService extends TenantService<NetworkInterface> {
  constructor(database: Database) {
    super(database, NetworkInterface, 'NetworkInterface');
  }

  page(organizationId: string, request: PageRequest): Promise<Page<NetworkInterface>> {
    return this.pageWhere(organizationId, request);
  }

  create(organizationId: string, input: CreateNetworkInterface): Promise<NetworkInterface> {
    const { segment, ...fields } = parseInterface(input);
    return this.change(fields.name, async (em) =>
      em.create(NetworkInterface, {
        ...fields,
        organization: organizationId,
        segment: await requireOne(em, Segment, 'Segment', organizationId, segment, 'input.segment'),
      }),
    );
  }

  update(organizationId: string, { id, ...changes }: UpdateNetworkInterface): Promise<NetworkInterface> {
    return this.change(changes.name, async (em) => {
      const row = await this.locked(em, organizationId, id);
      const current = { ...pickConnection(row), name: row.name, kind: row.kind, segment: row.segment?.id ?? null };
      const { segment, ...fields } = parseInterface(merged(current, changes));
      // What did not reach the old address says nothing about the new one.
      if (fields.host !== row.host || fields.port !== row.port)
        await em.nativeDelete(InterfaceBreaker, { networkInterface: id });
      return em.assign(row, {
        ...fields,
        segment: await requireOne(em, Segment, 'Segment', organizationId, segment, 'input.segment'),
      });
    });
  }

  /** Refused while meters are reached over it, and once sessions ran over it: their history would be lost. */
  delete(organizationId: string, id: string): Promise<{ id: string }> {
    return this.remove(organizationId, id, async (em) => {
      const meters = await countRows(em, 'select count(*) as count from meter_device where network_interface_id = ?', [
        id,
      ]);
      if (meters > 0) {
        return `is used by ${meters} ${meters === 1 ? 'meter' : 'meters'}, which could no longer be reached. Give them another interface first.`;
      }
      const sessions = await countRows(
        em,
        'select count(*) as count from poll_session where network_interface_id = ?',
        [id],
      );
      if (sessions > 0) {
        return `carried ${sessions} ${sessions === 1 ? 'session' : 'sessions'}, whose record is still kept. Rename it instead.`;
      }
      return undefined;
    });
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
