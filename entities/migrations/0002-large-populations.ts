import { Migration } from '@mikro-orm/migrations';

/** What dispatch, retries and history of a large population need beyond the first schema. */
export class LargePopulations extends Migration {
  override up(): void {
    // The slot before the meter: the key then also lists and counts the runs of a task in a period.
    this.addSql('alter table task_run drop constraint task_run_slot');
    this.addSql(
      'alter table task_run add constraint task_run_slot unique (amr_task_id, scheduled_for, meter_device_id)',
    );
    this.addSql('alter table task_run add column cancel_requested_at timestamptz(3)');
    this.addSql('alter table task_run add column resume jsonb');
    // Asked every few seconds, and nearly always empty.
    this.addSql(
      `create index task_run_cancelling on task_run (id) where state in ('dispatched', 'running') and cancel_requested_at is not null`,
    );
    this.addSql(
      `create index task_run_unsuccessful on task_run (organization_id, scheduled_for, amr_task_id, error_code)
       where state in ('failed', 'expired', 'cancelled')`,
    );

    // Whose time is up, without reading all that is due.
    this.addSql(`create index task_run_deadline on task_run (deadline) where state = 'pending'`);
    // With the id, a page of the newest runs is read in order; without it all runs of the newest slot were sorted for it.
    this.addSql('drop index task_run_organization');
    this.addSql('create index task_run_organization on task_run (organization_id, scheduled_for, id)');

    this.addSql('alter table meter_device add column credentials_rejected_at timestamptz(3)');
    this.addSql(
      'create index meter_device_credentials_rejected on meter_device (organization_id, id) where credentials_rejected_at is not null',
    );

    this.addSql(`
      create table interface_breaker (
        network_interface_id uuid not null constraint interface_breaker_network_interface_id_foreign
          references network_interface on update cascade on delete cascade,
        failures int not null,
        open_until timestamptz(3),
        error_message text not null,
        changed_at timestamptz(3) not null default now(),
        constraint interface_breaker_pkey primary key (network_interface_id))`);
    this.addSql('create index network_interface_segment_id_index on network_interface (segment_id)');
    // For the permits of segments (what ended within the last second) and for retention. Without the open ones: looking
    // up the open session of an interface went through all of them.
    this.addSql('create index poll_session_closed on poll_session (closed_at) where closed_at is not null');
    this.addSql('create index invocation_key_created_at_index on invocation_key (created_at)');

    this.addSql('alter table task_slot add column merged_into timestamptz(3)');
    this.addSql('alter table task_slot add column settled_at timestamptz(3)');
    const outcomes = ['succeeded', 'failed', 'expired', 'cancelled'].map((state) => `${state}_count`);
    for (const column of outcomes) this.addSql(`alter table task_slot add column ${column} int not null default 0`);
    this.addSql('create index task_slot_unsettled on task_slot (scheduled_for) where settled_at is null');
    this.addSql(`
      create table task_slot_group (
        amr_task_id uuid not null constraint task_slot_group_amr_task_id_foreign
          references amr_task on update cascade on delete cascade,
        scheduled_for timestamptz(3) not null,
        amr_task_group_id uuid not null constraint task_slot_group_amr_task_group_id_foreign
          references amr_task_group on update cascade on delete cascade,
        run_count int not null,
        ${outcomes.map((column) => `${column} int not null`).join(', ')},
        constraint task_slot_group_pkey primary key (amr_task_group_id, scheduled_for, amr_task_id))`);

    this.addSql(`
      create table worker (
        id uuid not null,
        kind text not null,
        host text not null,
        pid int not null,
        version text not null,
        queues text[] not null,
        max_sessions int not null,
        open_sessions int not null,
        started_at timestamptz(3) not null default now(),
        last_seen_at timestamptz(3) not null default now(),
        stopped_at timestamptz(3),
        constraint worker_pkey primary key (id))`);
  }
}
