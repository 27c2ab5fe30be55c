import { isDecimal } from '../domain/decimal.js';
import { HIDDEN } from '../domain/secrets.js';
import { isPrintable } from '../domain/text.js';
import { StartupError } from '../errors.js';
import type { RowError } from './row-reader.js';

/** A meter of a file: what its row leaves blank is left out. */
export interface MeterItem {
  name: string;
  serialNumber?: string;
  manufacturer?: string;
  model?: string;
  externalReference?: string;
  protocolAddress?: string;
  timeZone?: string;
  currentTransformerRatio?: string;
  voltageTransformerRatio?: string;
  /** Names or ids. */
  networkInterface?: string;
  taskGroups?: string[];
  meterTasks?: string[];
  credentials?: Record<string, string>;
}

const TEXTS = [
  'name',
  'serialNumber',
  'manufacturer',
  'model',
  'externalReference',
  'protocolAddress',
  'timeZone',
  'networkInterface',
] as const;
const DECIMALS = ['currentTransformerRatio', 'voltageTransformerRatio'] as const;
const LISTS = ['taskGroups', 'meterTasks'] as const;
const CREDENTIALS = 'credentials.';

/** The columns a file may have, as its header names them; `credentials.password` is an example of its kind. */
export const METER_COLUMNS: readonly string[] = [...TEXTS, ...DECIMALS, ...LISTS, `${CREDENTIALS}password`];

const FIELDS = new Map([...TEXTS, ...DECIMALS, ...LISTS].map((field) => [field.toLowerCase(), field]));

/** Reads the rows of a file of meters by its header line. */
export class MeterRowReader {
  private readonly columns: readonly (string | undefined)[];
  private readonly lineOfName = new Map<string, number>();
  private readonly lineOfReference = new Map<string, number>();

  /**
   * @param ignored columns of the header that are not looked at
   * @throws StartupError when the header has a column that is not known, twice, or no `name`
   */
  constructor(
    private readonly header: readonly string[],
    delimiter: string,
    ignored: readonly string[] = [],
  ) {
    const other = [',', ';', '\t'].find(
      (each) => each !== delimiter && header.length === 1 && header[0]!.includes(each),
    );
    if (other !== undefined) {
      throw new StartupError(
        `The header line is one column, ${JSON.stringify(header[0])}. Give --delimiter ${other === '\t' ? 'tab' : `"${other}"`}.`,
      );
    }
    const names = header.map((cell) => cell.trim());
    for (const column of ignored) {
      if (!names.includes(column))
        throw new StartupError(`The header has no column ${JSON.stringify(column)} to ignore.`);
    }
    this.columns = names.map((column) => (ignored.includes(column) ? undefined : known(column)));
    const used = this.columns.filter((column) => column !== undefined);
    const twice = used.find((column, place) => used.indexOf(column) !== place);
    if (twice !== undefined) throw new StartupError(`The header has the column ${twice} twice.`);
    if (!used.includes('name')) throw new StartupError(`The header has no column name. ${KNOWN}`);
  }

  /** The meter of a row, or what is wrong with it. A name or reference that an earlier row has is an error, as the later row would win. */
  read(line: number, cells: readonly string[]): { item: MeterItem } | { errors: RowError[] } {
    if (cells.length !== this.columns.length) {
      const problem = `has ${cells.length} cells, the header has ${this.columns.length}`;
      return { errors: [{ column: '', text: '', problem }] };
    }
    const errors: RowError[] = [];
    const item: MeterItem = { name: '' };
    const refuse = (place: number, problem: string) => {
      const column = this.header[place]!.trim();
      const isSecret = this.columns[place]!.startsWith(CREDENTIALS);
      errors.push({ column, text: isSecret ? HIDDEN : cells[place]!, problem });
    };
    this.columns.forEach((field, place) => {
      const cell = cells[place]!.trim();
      if (field === undefined || (cell === '' && field !== 'name')) return;
      if (!isPrintable(cell)) return refuse(place, 'must not contain control characters');
      if (isOneOf(TEXTS, field)) item[field] = cell;
      else if (isOneOf(DECIMALS, field)) {
        if (!isDecimal(cell)) return refuse(place, 'must be a decimal such as 40 or 0.5');
        item[field] = cell;
      } else if (isOneOf(LISTS, field)) item[field] = parts(cell);
      // As it stands: a blank may be part of a password.
      else (item.credentials ??= {})[field.slice(CREDENTIALS.length)] = cells[place]!;
      if (field === 'name' && cell === '') refuse(place, 'must not be empty');
    });
    this.refuseRepeated(line, 'name', item.name, this.lineOfName, errors);
    this.refuseRepeated(line, 'externalReference', item.externalReference ?? '', this.lineOfReference, errors);
    return errors.length > 0 ? { errors } : { item };
  }

  /** What the API says of a field, such as `taskGroups.1`, as an error of a cell of the row. */
  errorOf(field: string, problem: string, cells: readonly string[]): RowError {
    const name = field.startsWith(CREDENTIALS) ? field : field.split('.')[0]!;
    const place = this.columns.indexOf(name);
    const text = place === -1 || name.startsWith(CREDENTIALS) ? '' : cells[place]!;
    return { column: place === -1 ? field : this.header[place]!.trim(), text, problem };
  }

  private refuseRepeated(
    line: number,
    column: string,
    text: string,
    seen: Map<string, number>,
    errors: RowError[],
  ): void {
    if (text === '') return;
    const first = seen.get(text);
    if (first === undefined) seen.set(text, line);
    else errors.push({ column, text, problem: `is that of line ${first} already` });
  }
}

const KNOWN = `Columns are ${METER_COLUMNS.join(', ')}; name is needed.`;

function known(column: string): string {
  const field = FIELDS.get(column.toLowerCase());
  if (field !== undefined) return field;
  if (/^credentials\.\S{1,64}$/i.test(column)) return CREDENTIALS + column.slice(CREDENTIALS.length);
  throw new StartupError(`The column ${JSON.stringify(column)} is not known. ${KNOWN} Pass over one with --ignore.`);
}

function parts(cell: string): string[] {
  const names = cell.split(';').map((part) => part.trim());
  return names.filter((name) => name !== '');
}

function isOneOf<T extends string>(values: readonly T[], value: string): value is T {
  return (values as readonly string[]).includes(value);
}
