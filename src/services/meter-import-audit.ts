import type pg from 'pg';
import { uuidAt } from '../domain/uuid.js';
import { recordAudit, type Caller } from './audit.js';
import type { ImportedFields } from './meter-import-items.js';
import type { KnownMeter, PlannedMeter } from './meter-import-plan.js';

const ACTION = 'importMeterDevices';
const SUBJECT = 'MeterDevice';

/** Notes the import as a whole, and of each meter that was created or changed what it was and became; without credentials. */
export async function recordImport(
  client: pg.ClientBase,
  organization: string,
  caller: Caller,
  planned: readonly PlannedMeter[],
  failed: number,
): Promise<void> {
  const changing = planned.filter(({ changed }) => changed.length > 0);
  const created = changing.filter(({ before }) => before === undefined).length;
  await recordAudit(client, {
    ...{ actor: caller.actor, source: caller.source },
    organization,
    action: ACTION,
    subjectType: SUBJECT,
    after: { created, changed: changing.length - created, unchanged: planned.length - changing.length, failed },
  });
  await client.query(
    `insert into audit_entry (id, organization_id, actor, source, action, subject_type, subject_id, before, after)
     select u.id, $1, $2, $3, $4, $5, u.subject::text, u.before, u.after
     from unnest($6::uuid[], $7::uuid[], $8::jsonb[], $9::jsonb[]) as u (id, subject, before, after)`,
    [
      ...[organization, caller.actor ?? 'anonymous', caller.source ?? null, ACTION, SUBJECT],
      changing.map(() => uuidAt()),
      changing.map(({ id }) => id),
      changing.map(({ before, changed }) => (before ? JSON.stringify(part(before, changed)) : null)),
      changing.map((plan) => JSON.stringify(becomes(plan))),
    ],
  );
}

function becomes({ fields, networkInterface, taskGroups, meterTasks, credentials, changed }: PlannedMeter): object {
  return {
    ...part({ ...fields, networkInterface, taskGroups: taskGroups ?? [], meterTasks: meterTasks ?? [] }, changed),
    ...(credentials !== undefined && { hasCredentials: credentials !== null }),
  };
}

type Shown = ImportedFields & Pick<KnownMeter, 'networkInterface' | 'taskGroups' | 'meterTasks'>;

function part(meter: Shown, changed: readonly string[]): Partial<Shown> {
  const shown = new Set(changed);
  return Object.fromEntries(Object.entries(meter).filter(([field]) => shown.has(field)));
}
