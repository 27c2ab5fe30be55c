import { Migration } from '@mikro-orm/migrations';

/** Versions of everything that can be changed, the audit by what people look for in it, and indexes of common filters. */
export class Contract extends Migration {
  override up(): void {
    const versioned = [
      'amr_task',
      'amr_task_group',
      'network_interface',
      'segment',
      'series',
      'installation',
      'organization',
    ];
    for (const table of versioned) this.addSql(`alter table ${table} add column version int not null default 1`);

    // By `at` and not by the id alone: ids carry the clock of the process that wrote them, `at` that of the database.
    this.addSql('drop index audit_entry_organization_id_id_index');
    for (const columns of ['', 'actor, ', 'action, ', 'subject_type, subject_id, ']) {
      const name = ['audit_entry', 'organization_id', ...columns.split(', ').filter(Boolean), 'at', 'id', 'index'];
      this.addSql(`create index ${name.join('_')} on audit_entry (organization_id, ${columns}at, id)`);
    }
    this.addSql('create index audit_entry_at_index on audit_entry (at)');

    // Kinds of rows that are many. The beginning of a name is looked for in any case.
    for (const table of ['meter_device', 'network_interface', 'metering_point']) {
      this.addSql(`create index ${table}_name_prefix on ${table} (organization_id, lower(name) text_pattern_ops)`);
    }
    for (const table of ['meter_device', 'metering_point']) {
      this.addSql(`create index ${table}_organization_id_id_index on ${table} (organization_id, id)`);
      this.addSql(
        `create index ${table}_organization_id_updated_at_id_index on ${table} (organization_id, updated_at, id)`,
      );
    }
    this.addSql(
      'create index meter_device_organization_id_external_reference_index on meter_device (organization_id, external_reference)',
    );
    this.addSql(
      'create index meter_device_organization_id_life_cycle_id_index on meter_device (organization_id, life_cycle, id)',
    );

    // What a key was given for, where it made many runs: the same key for something else is refused.
    this.addSql('alter table invocation_key add column group_request text');
  }
}
