import { InputError, type InputErrorCode } from '../errors.js';
import { parseInput } from './input.js';
import { MeterFields, MeterLinks, type CreateMeterDevice } from './meter-input.js';

/** Fields of an item that are kept as given; an import leaves the life cycle alone. */
const FIELDS = [
  'name',
  'serialNumber',
  'manufacturer',
  'model',
  'externalReference',
  'protocolAddress',
  'timeZone',
  'currentTransformerRatio',
  'voltageTransformerRatio',
] as const;
export type ImportedFields = Pick<MeterFields, (typeof FIELDS)[number]>;

/** An item that is right in itself. */
export interface ImportItem {
  readonly index: number;
  /** What it says, without what it leaves out. */
  readonly given: Partial<ImportedFields> & Pick<ImportedFields, 'name'>;
  /** What a meter is created with. */
  readonly whole: ImportedFields;
  readonly links: MeterLinks;
}

/** Why an item is left out. */
export interface ItemError {
  readonly index: number;
  readonly code: InputErrorCode;
  readonly message: string;
  readonly field: string;
}

export const fieldOf = (index: number, name: string): string => `input.items.${index}.${name}`;

export function itemError(index: number, code: InputErrorCode, field: string, problem: string): ItemError {
  const path = fieldOf(index, field);
  return { index, code, field: path, message: `${path} ${problem}` };
}

/** The items that can be looked up, and the errors of the others: wrong in themselves, or said twice. */
export function parseItems(items: readonly CreateMeterDevice[]): { items: ImportItem[]; errors: ItemError[] } {
  const parsed: ImportItem[] = [];
  const errors: ItemError[] = [];
  const names = new Map<string, number>();
  const references = new Map<string, number>();
  items.forEach((input, index) => {
    const item = parseItem(input, index);
    if ('code' in item) return void errors.push(item);
    const { name, externalReference } = item.given;
    const sameName = names.get(name);
    const sameReference = externalReference == null ? undefined : references.get(externalReference);
    if (sameReference !== undefined) return void errors.push(repeated(index, 'externalReference', sameReference));
    if (sameName !== undefined) return void errors.push(repeated(index, 'name', sameName));
    names.set(name, index);
    if (externalReference != null) references.set(externalReference, index);
    parsed.push(item);
  });
  return { items: parsed, errors };
}

function parseItem(input: CreateMeterDevice, index: number): ImportItem | ItemError {
  const path = `input.items.${index}`;
  try {
    const fields = parseInput(MeterFields, input, path);
    const links = parseInput(MeterLinks, input, path);
    const whole = Object.fromEntries(FIELDS.map((field) => [field, fields[field]])) as unknown as ImportedFields;
    const said = FIELDS.filter((field) => input[field] !== undefined);
    const given = Object.fromEntries(said.map((field) => [field, fields[field]])) as ImportItem['given'];
    return { index, given, whole, links };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { index, code: error.code, message: error.message, field: error.field ?? path };
  }
}

function repeated(index: number, field: 'name' | 'externalReference', first: number): ItemError {
  return itemError(index, 'CONFLICT', field, `is also that of item ${first} of this call. Leave one of them out.`);
}
