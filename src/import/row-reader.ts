import { decimalProduct } from '../domain/decimal-product.js';
import { LocalClock } from '../domain/local-clock.js';
import { isPrintable } from '../domain/text.js';
import { StartupError } from '../errors.js';
import { numberParser } from './number-format.js';
import { columnsOf, templateColumns, type ImportProfile, type Source } from './profile.js';
import { stampParser } from './stamp-format.js';

/** Registers with local times that one file may have: each is followed through the repeated hour. */
const MAX_REGISTERS = 1_000_000;
const MAX_NAME = 150;
const MAX_UNIT = 20;

/** A reading of a file, as it goes in. */
export interface ImportedReading {
  /** Name of the meter. */
  meter: string;
  series: string;
  /** Milliseconds since the epoch. */
  measuredAt: number;
  value: string;
  unit: string | undefined;
  status: number;
}

/** What is wrong with a row or one of its cells, and the cure. */
export interface RowError {
  column: string;
  text: string;
  problem: string;
}

/** What a row gave. */
export interface RowContent {
  readings: ImportedReading[];
  errors: RowError[];
  blanks: number;
  /** The profile's `only` does not want the row. */
  isLeftOut: boolean;
}

type Cells = readonly string[];
type Read<T> = (cells: Cells) => T;

/** A cell that cannot be used. Thrown within a row, and never beyond it. */
class CellError extends Error {
  constructor(
    readonly column: string,
    readonly text: string,
    problem: string,
  ) {
    super(problem);
  }
}

/** Reads the rows of one file, in their order: the repeated hour of local times is told by it. */
export class RowReader {
  private readonly blanks: ReadonlySet<string>;
  private readonly meter: Read<string>;
  private readonly stamp: Read<(register: string) => number>;
  private readonly values: readonly Read<ImportedReading | undefined | 'blank'>[];
  private readonly filters: readonly Read<boolean>[];

  /** @throws StartupError when the file lacks columns of the profile, or nothing names the meter */
  constructor(
    private readonly profile: ImportProfile,
    private readonly header: Cells,
    meterName?: string,
  ) {
    const used = columnsOf(meterName === undefined ? profile : { ...profile, meter: undefined });
    const missing = [...new Set(used)].filter((column) => !header.includes(column));
    if (missing.length > 0) {
      throw new StartupError(
        `The file lacks ${missing.map((name) => JSON.stringify(name)).join(', ')} of the profile; its columns are ${header
          .slice(0, 50)
          .map((name) => JSON.stringify(name))
          .join(', ')}. Choose another profile, or correct its delimiter, skipLines or column names.`,
      );
    }
    const repeated = used.find((column) => header.indexOf(column) !== header.lastIndexOf(column));
    if (repeated !== undefined) {
      throw new StartupError(
        `The file has the column ${JSON.stringify(repeated)} twice. Name its columns with "header".`,
      );
    }
    this.blanks = new Set(['', ...profile.blanks]);
    this.meter = this.meterReader(meterName);
    this.stamp = this.stampReader();
    this.values = profile.values.map((value) => this.valueReader(value));
    this.filters = profile.only.map(({ column, in: wanted }) => {
      const cell = this.cell(column);
      return (cells) => wanted.includes(cell(cells));
    });
  }

  read(cells: Cells): RowContent {
    const content: RowContent = { readings: [], errors: [], blanks: 0, isLeftOut: false };
    try {
      this.requireWidth(cells);
      content.isLeftOut = !this.filters.every((filter) => filter(cells));
      if (content.isLeftOut) return content;
      for (const value of this.values) this.readValue(value, cells, content);
    } catch (error) {
      content.errors.push(rowErrorOf(error));
    }
    return content;
  }

  private readValue(value: (typeof this.values)[number], cells: Cells, content: RowContent): void {
    try {
      const reading = value(cells);
      if (reading === 'blank') content.blanks++;
      else if (reading) content.readings.push(reading);
    } catch (error) {
      const problem = rowErrorOf(error);
      // What is wrong with the row is wrong for each of its values.
      if (!content.errors.some(({ column, problem: told }) => column === problem.column && told === problem.problem))
        content.errors.push(problem);
    }
  }

  private requireWidth(cells: Cells): void {
    const surplus = cells.slice(this.header.length).some((cell) => cell !== '');
    if (cells.length >= this.header.length && !surplus) return;
    throw new CellError(
      '',
      cells.join(this.profile.delimiter).slice(0, 200),
      `the row has ${cells.length} columns, the header ${this.header.length}; cells with ${JSON.stringify(this.profile.delimiter)} in them need quotes`,
    );
  }

  private meterReader(given: string | undefined): Read<string> {
    if (given !== undefined) return () => given;
    const { meter } = this.profile;
    if (meter === undefined) {
      throw new StartupError('The profile does not say which meter the file is of. Name it with --meter.');
    }
    if (!('template' in meter)) return this.named('the name of a meter', meter);
    const cells = templateColumns(meter.template).map((column) => ({
      column,
      read: this.named('part of a name', { column }),
    }));
    return (row) =>
      requireName(
        cells.reduce((text, { column, read }) => text.replaceAll(`{${column}}`, () => read(row)), meter.template),
        meter.template,
        'the name of a meter',
      );
  }

  private stampReader(): Read<(register: string) => number> {
    const { columns, format, zone, intervalSeconds = 0 } = this.profile.timestamp;
    const read = columns.map((column) => this.cell(column));
    const parse = stampParser(format);
    const clock = new LocalClock(zone ?? 'UTC');
    const toEnd = intervalSeconds * 1000;
    return (cells) => {
      const text = read.map((cell) => cell(cells)).join(' ');
      const wrong = (problem: string) => new CellError(columns.join(' '), text, problem);
      const stamp = parse(text);
      if (!stamp) {
        throw wrong(
          `is no time of the form ${format === 'iso' ? '2026-01-31T10:00:00+01:00, with an offset' : format}; correct the cell, or the profile's timestamp.format`,
        );
      }
      if ('instantMs' in stamp) return () => stamp.instantMs + toEnd;
      return (register) => {
        if (clock.size >= MAX_REGISTERS)
          throw wrong(`the file has more than ${MAX_REGISTERS} meters and series; split it`);
        const instant = clock.instantOf(register, stamp.wallMs);
        if (instant === 'skipped')
          throw wrong(`does not exist in ${zone}: the clock was set forward past it; is timestamp.zone right?`);
        if (instant === 'repeated')
          throw wrong(`comes more often than the clocks of ${zone} showed it; remove the repeated rows`);
        return instant + toEnd;
      };
    };
  }

  private valueReader(value: ImportProfile['values'][number]): Read<ImportedReading | 'blank'> {
    const number = numberParser(this.profile.numbers);
    const cell = this.cell(value.column);
    const series = this.named('the name of a series', value.series);
    const unit = value.unit && this.named('a unit', value.unit, MAX_UNIT);
    const factor = value.factor && this.factorReader(value.factor);
    const status = value.quality && this.statusReader(value.quality);
    return (cells) => {
      const meter = this.meter(cells);
      const name = series(cells);
      // Before the value is looked at: a blank one is an occurrence of the repeated hour as well.
      const measuredAt = this.stamp(cells)(`${meter}\n${name}`);
      const text = cell(cells);
      if (this.blanks.has(text)) return 'blank';
      const plain = number(text);
      if (plain === undefined) {
        const form = `"${this.profile.numbers.decimal === ',' ? '9000,125' : '9000.125'}"`;
        throw new CellError(
          value.column,
          text,
          `is no number such as ${form}; correct the cell, or the profile's numbers or blanks`,
        );
      }
      return {
        meter,
        series: name,
        measuredAt,
        value: factor ? decimalProduct(plain, factor(cells)) : plain,
        unit: unit?.(cells),
        status: status?.(cells) ?? 0,
      };
    };
  }

  private factorReader(factor: NonNullable<ImportProfile['values'][number]['factor']>): Read<string> {
    if ('constant' in factor) return () => factor.constant;
    const number = numberParser(this.profile.numbers);
    const cell = this.cell(factor.column);
    return (cells) => {
      const plain = number(cell(cells));
      if (plain === undefined || plain === '0')
        throw new CellError(factor.column, cell(cells), 'is no factor other than 0, such as 0.001');
      return factor.absolute ? plain.replace('-', '') : plain;
    };
  }

  private statusReader(quality: NonNullable<ImportProfile['values'][number]['quality']>): Read<number> {
    const cell = this.cell(quality.column);
    const bits = new Map(Object.entries(quality.mapping));
    return (cells) => mapped(bits, quality.column, cell(cells));
  }

  private named(what: string, source: Source, max = MAX_NAME): Read<string> {
    if ('constant' in source) return () => source.constant;
    const cell = this.cell(source.column);
    const names = source.mapping && new Map(Object.entries(source.mapping));
    return (cells) => {
      const text = cell(cells);
      return requireName(names ? mapped(names, source.column, text) : text, source.column, what, max);
    };
  }

  /** The text of a cell: trimmed, and without the `="…"` that keeps spreadsheets from taking digits for a number. */
  private cell(column: string): Read<string> {
    const index = this.header.indexOf(column);
    return (cells) => {
      const text = cells[index]!.trim();
      return text.startsWith('="') && text.endsWith('"') ? text.slice(2, -1) : text;
    };
  }
}

function mapped<T>(mapping: ReadonlyMap<string, T>, column: string, text: string): T {
  const value = mapping.get(text);
  if (value !== undefined) return value;
  throw new CellError(
    column,
    text,
    `is none of ${[...mapping.keys()].slice(0, 20).join(', ')}; add it to the profile's mapping`,
  );
}

function requireName(text: string, column: string, what: string, max = MAX_NAME): string {
  if (text !== '' && text.length <= max && isPrintable(text)) return text;
  throw new CellError(column, text.slice(0, 200), `is not ${what}, 1 to ${max} characters without control characters`);
}

function rowErrorOf(error: unknown): RowError {
  if (error instanceof CellError) return { column: error.column, text: error.text, problem: error.message };
  throw error;
}
