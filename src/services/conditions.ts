import { isUuid } from '../domain/uuid.js';
import { escapePattern, type NameSelection } from './name-filter.js';
import type { SqlParameters } from './sql.js';

type Absent = null | undefined;

/** The conditions of a list: all of them hold together, and one whose value is absent is none. */
export class Conditions {
  readonly #all: string[] = [];

  constructor(private readonly parameters: SqlParameters) {}

  get sql(): string {
    return this.#all.join(' and ');
  }

  equals(column: string, value: string | number | boolean | Absent): this {
    return this.given(value, (given) => `${column} = ${given}`);
  }

  /** One of several texts; none of an empty list. */
  oneOf(column: string, values: readonly string[] | Absent): this {
    return this.given(values, (given) => `${column} = any(${given}::text[])`);
  }

  /** A column of ids. An id that is no UUID matches nothing, as any other unknown id; the column would refuse it. */
  id(column: string, value: string | Absent): this {
    return this.given(
      value,
      (given) => `${column} = ${given}::uuid`,
      (id) => (isUuid(id) ? id : null),
    );
  }

  ids(column: string, values: readonly string[] | Absent): this {
    return this.given(
      values,
      (given) => `${column} = any(${given}::uuid[])`,
      (all) => all.filter(isUuid),
    );
  }

  /** Where an instant lies, `to` excluded. */
  between(column: string, from: Date | Absent, to: Date | Absent): this {
    this.given(from, (given) => `${column} >= ${given}::timestamptz`);
    return this.given(to, (given) => `${column} < ${given}::timestamptz`);
  }

  /** Part of a text, in any case. */
  contains(column: string, part: string | Absent): this {
    return this.given(
      part,
      (given) => `${column} ilike ${given}`,
      (text) => `%${escapePattern(text)}%`,
    );
  }

  /** Name, part of the name, or its beginning as the index on `lower(name)` has it. */
  name(alias: string, { name, nameContains, nameStartsWith }: NameSelection): this {
    this.equals(`${alias}.name`, name).contains(`${alias}.name`, nameContains);
    return this.given(nameStartsWith, (given) => `lower(${alias}.name) like lower(${given}) || '%'`, escapePattern);
  }

  /** Whether something holds: `sql` when it is to, its opposite when not. */
  whether(value: boolean | Absent, sql: string): this {
    if (value != null) this.#all.push(value ? sql : `not (${sql})`);
    return this;
  }

  /** Any other condition on a value, which `convert` may put in the form that the database wants. */
  given<T>(
    value: T | Absent,
    sql: (placeholder: string) => string,
    convert: (value: T) => unknown = (same) => same,
  ): this {
    if (value != null) this.#all.push(sql(this.parameters.add(convert(value))));
    return this;
  }

  /** A condition on an id; one that is no UUID matches nothing. */
  related(value: string | Absent, sql: (placeholder: string) => string): this {
    return this.given(
      value,
      (given) => sql(`${given}::uuid`),
      (id) => (isUuid(id) ? id : null),
    );
  }
}
