import type { Database } from '../db/database.js';
import type { AlertKind, AlertSeverity } from '../domain/enums.js';
import { ALERT_COLUMNS, type Alert } from './alert-book.js';
import { Conditions } from './conditions.js';
import { Page, positionOf, type PageRequest } from './page.js';
import { SqlParameters } from './sql.js';

/** Conditions that must all hold. `from` and `to` bound when an alert opened, `to` excluded. */
export interface AlertSelection {
  open?: boolean | null;
  kinds?: readonly AlertKind[] | null;
  severities?: readonly AlertSeverity[] | null;
  from?: Date | null;
  to?: Date | null;
}

/** What needs, or needed, a person. */
export class AlertService {
  constructor(private readonly database: Database) {}

  /** Newest first. `open`: only those that are not resolved, or only those that are. */
  async page(
    organizationId: string,
    { open, kinds, severities, from, to }: AlertSelection,
    request: PageRequest,
  ): Promise<Page<Alert>> {
    const position = positionOf(request);
    const { pool } = this.database;
    const parameters = new SqlParameters();
    const conditions = new Conditions(parameters)
      .id('organization_id', organizationId)
      .whether(open, 'resolved_at is null')
      .oneOf('kind', kinds)
      .oneOf('severity', severities)
      .between('started_at', from, to);
    const scope = [conditions.sql];
    const counted = { where: scope.join(' and '), values: [...parameters.values] };
    if (position.after !== undefined) scope.push(`id < ${parameters.add(position.after)}`);
    const { rows } = await pool.query<Alert>(
      `select ${ALERT_COLUMNS} from alert where ${scope.join(' and ')} order by id desc limit ${parameters.add(position.size + 1)}`,
      parameters.values,
    );
    return new Page(rows, position, async () => {
      const { rows } = await pool.query<{ count: number }>(
        `select count(*)::int as count from alert where ${counted.where}`,
        counted.values,
      );
      return rows[0]!.count;
    });
  }
}
