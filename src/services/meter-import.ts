import { setImmediate as nextTurn } from 'node:timers/promises';
import type pg from 'pg';
import { z } from 'zod';
import { seal } from '../credentials.js';
import { inTransaction, type Database } from '../db/database.js';
import { sqlState } from '../db/errors.js';
import { uuidAt } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import type { Caller } from './audit.js';
import { flag, parseInput } from './input.js';
import { recordImport } from './meter-import-audit.js';
import { itemError, parseItems, type ImportItem, type ItemError } from './meter-import-items.js';
import { planImport, type PlannedMeter } from './meter-import-plan.js';
import { lockImports, lockKnownLinks, lockKnownMeters, namesakesOf, writeMeters } from './meter-import-rows.js';
import type { CreateMeterDevice } from './meter-input.js';
import { announceRowChanges } from './row-changes.js';

const MAX_ITEMS = 10_000;
const itemsRule = `must have 1 to ${MAX_ITEMS} items`;
/** Boxes sealed in one turn of the event loop, 0.2 ms each: others are answered in between. */
const SEALED_PER_TURN = 25;
/** A name that another request takes at the same moment is found taken at the next try. */
const TRIES = 3;

const Import = z.object({
  items: z.array(z.custom<CreateMeterDevice>(), { error: itemsRule }).min(1, { error: itemsRule }).max(MAX_ITEMS, {
    error: itemsRule,
  }),
  dryRun: flag.nullish(),
});
export interface ImportMeterDevices {
  items: CreateMeterDevice[];
  dryRun?: boolean | null;
}

export interface ImportedItem {
  index: number;
  id: string | null;
  created: boolean;
  errorCode: string | null;
  errorMessage: string | null;
  errorField: string | null;
}

export interface ImportedMeters {
  dryRun: boolean;
  items: ImportedItem[];
  created: number;
  updated: number;
  unchanged: number;
  failed: number;
}

interface ImportCall {
  readonly organizationId: string;
  readonly items: readonly ImportItem[];
  /** Items of the call, those that are wrong in themselves included. */
  readonly count: number;
  readonly dryRun: boolean;
  readonly caller: Caller;
}

interface Outcome {
  planned: PlannedMeter[];
  errors: ItemError[];
}

/** Registers and updates meters by the thousand: a handful of statements, however many there are. */
export class MeterImportService {
  constructor(
    private readonly database: Database,
    private readonly broker: Pick<Broker, 'broadcast'>,
    private readonly credentialsPublicKey: string | undefined,
  ) {}

  /** Items with an error are left out; the others go in together, in one transaction. */
  async importMeters(organizationId: string, input: ImportMeterDevices, caller: Caller = {}): Promise<ImportedMeters> {
    const { items: inputs, dryRun: isDry } = parseInput(Import, input);
    const dryRun = isDry ?? false;
    const parsed = parseItems(inputs);
    const items = parsed.items.filter((item) => !this.lacksKey(item));
    const { planned, errors } = await this.inOneGo({ organizationId, items, count: inputs.length, dryRun, caller });
    if (!dryRun) await this.announce(organizationId, planned);
    const unsealed = parsed.items.filter((item) => this.lacksKey(item)).map(keyError);
    return summary(planned, [...parsed.errors, ...unsealed, ...errors], inputs.length, dryRun);
  }

  private async inOneGo(call: ImportCall): Promise<Outcome> {
    if (call.items.length === 0) return { planned: [], errors: [] };
    for (let tries = 1; ; tries++) {
      try {
        return await inTransaction(this.database.pool, (client) => this.carryOut(client, call));
      } catch (error) {
        const state = sqlState(error);
        if (state === LOCK_NOT_AVAILABLE) {
          throw new InputError(
            'CONFLICT',
            'Other changes of these meters, or another import, did not end within 30 s. Try again later.',
          );
        }
        if (!PASSING.has(state ?? '') || tries === TRIES) throw error;
      }
    }
  }

  private async carryOut(
    client: pg.PoolClient,
    { organizationId, items, count, dryRun, caller }: ImportCall,
  ): Promise<Outcome> {
    // References are unique by agreement only: two imports of one file at once would create each meter twice.
    if (!dryRun) await lockImports(client, organizationId);
    const links = await lockKnownLinks(client, organizationId, items);
    const meters = await lockKnownMeters(client, organizationId, items);
    const { planned, errors } = planImport(items, meters, links, uuidAt);
    if (dryRun) return { planned, errors };
    const changing = planned.filter(({ changed }) => changed.length > 0);
    const taken = await writeMeters(client, organizationId, changing, await this.sealed(changing));
    const stands = planned.filter(({ id }) => !taken.has(id));
    const late = planned.filter(({ id }) => taken.has(id)).map(nameTaken);
    await recordImport(client, organizationId, caller, stands, count - stands.length);
    return { planned: stands, errors: [...errors, ...late] };
  }

  /** Boxes by meter, null for credentials that are removed. */
  private async sealed(planned: readonly PlannedMeter[]): Promise<Map<string, Buffer | null>> {
    const boxes = new Map<string, Buffer | null>();
    for (const { id, credentials } of planned) {
      if (credentials === undefined) continue;
      boxes.set(id, credentials && seal(this.credentialsPublicKey!, id, credentials));
      if (boxes.size % SEALED_PER_TURN === 0) await nextTurn();
    }
    return boxes;
  }

  private lacksKey({ links }: ImportItem): boolean {
    return links.credentials != null && this.credentialsPublicKey === undefined;
  }

  /** After the commit and at once for all: ingesters look again, and staged readings of new meters are stored. */
  private async announce(organizationId: string, planned: readonly PlannedMeter[]): Promise<void> {
    const told = planned.filter(({ changed }) => changed.some((field) => INGESTED.has(field)));
    if (told.length === 0) return;
    const namesakes = await namesakesOf(this.database.pool, organizationId, told);
    await announceRowChanges(this.broker, organizationId, [...new Set([...told.map(({ id }) => id), ...namesakes])]);
  }
}

/** What ingesters keep of a meter. */
const INGESTED: ReadonlySet<string> = new Set([
  'name',
  'serialNumber',
  'currentTransformerRatio',
  'voltageTransformerRatio',
]);
const LOCK_NOT_AVAILABLE = '55P03';
/** unique_violation of a name, foreign_key_violation of a link, deadlock_detected. */
const PASSING: ReadonlySet<string> = new Set(['23505', '23503', '40P01']);

function keyError({ index }: ImportItem): ItemError {
  return itemError(
    index,
    'BAD_USER_INPUT',
    'credentials',
    'cannot be stored: this server has no key to seal them with. Make a pair with `amr keys create` and set AMR_CREDENTIALS_PUBLIC_KEY, or leave the credentials out.',
  );
}

function nameTaken({ index, fields }: PlannedMeter): ItemError {
  const problem = `${JSON.stringify(fields.name)} was taken at the same moment. Import the item again.`;
  return itemError(index, 'CONFLICT', 'name', problem);
}

function summary(
  planned: readonly PlannedMeter[],
  errors: readonly ItemError[],
  count: number,
  dryRun: boolean,
): ImportedMeters {
  const items = new Array<ImportedItem>(count);
  for (const { index, id, before } of planned) {
    const created = before === undefined;
    const known = created && dryRun ? null : id;
    items[index] = { index, id: known, created, errorCode: null, errorMessage: null, errorField: null };
  }
  for (const { index, code, message, field } of errors) {
    items[index] = { index, id: null, created: false, errorCode: code, errorMessage: message, errorField: field };
  }
  const created = planned.filter(({ before }) => before === undefined).length;
  const unchanged = planned.filter(({ changed }) => changed.length === 0).length;
  return { dryRun, items, created, updated: planned.length - created, unchanged, failed: errors.length };
}
