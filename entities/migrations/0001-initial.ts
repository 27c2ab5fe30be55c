import { Migration } from '@mikro-orm/migrations';

/** The first schema. Partitioned tables get their partitions from `src/db/partitions.ts`. */
export class Initial extends Migration {
  override up(): void {
    this.addSql('create schema partitions');

    // PostgreSQL 15 to 17 have no UUIDv7; this one carries a given instant (RFC 9562, 5.7).
    this.addSql(`
      create function uuid_v7_at(at timestamptz) returns uuid language sql volatile parallel safe as $$
        -- A random version 4 already has the variant bits; the instant and the version are put over it.
        select encode(
          overlay(
            set_byte(random, 6, get_byte(random, 6) & 15 | 112)
            placing substring(int8send(floor(extract(epoch from at) * 1000)::bigint) from 3 for 6) from 1 for 6),
          'hex')::uuid
        from (select uuid_send(gen_random_uuid()) as random) r
      $$`);

    this.addSql(`
      create table organization (
        id uuid not null,
        name text not null,
        is_active boolean not null default true,
        created_at timestamptz(3) not null default now(),
        constraint organization_pkey primary key (id),
        constraint organization_name_unique unique (name))`);
    this.addSql(`insert into organization (id, name) values ('00000000-0000-7000-8000-000000000001', 'default')`);

    const tenant = (table: string) => `
        id uuid not null,
        organization_id uuid not null constraint ${table}_organization_id_foreign references organization on update cascade on delete restrict,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        constraint ${table}_pkey primary key (id),
        constraint ${table}_organization_id_name_unique unique (organization_id, name)`;

    this.addSql(`
      create table segment (
        name text not null,
        max_open_sessions int,
        max_new_sessions_per_second int,${tenant('segment')})`);
    this.addSql(`
      create table network_interface (
        name text not null,
        kind text not null constraint network_interface_kind_check check (kind in ('tcp', 'serial')),
        host text,
        port int,
        serial_path text,
        baud_rate int,
        segment_id uuid constraint network_interface_segment_id_foreign references segment on update cascade on delete restrict,${tenant('network_interface')})`);
    this.addSql(`
      create table amr_task (
        name text not null,
        description text not null default '',
        is_active boolean not null default true,
        schedule text not null constraint amr_task_schedule_check
          check (schedule in ('quarterly', 'hourly', 'daily', 'weekly', 'monthly', 'yearly')),
        run_offset_seconds int not null default 0,
        meter_execution_type text not null,
        task_call text not null,
        task_kwargs jsonb not null default '{}',
        catch_up text not null default 'latest' constraint amr_task_catch_up_check check (catch_up in ('skip', 'latest', 'all')),
        deadline_seconds int,
        priority smallint not null default 0,
        active_since timestamptz(3) not null default now(),${tenant('amr_task')})`);
    this.addSql(`
      create table amr_task_group (
        name text not null,
        description text not null default '',${tenant('amr_task_group')})`);
    this.addSql(`
      create table meter_device (
        name text not null,
        serial_number text,
        manufacturer text,
        model text,
        external_reference text,
        protocol_address text,
        life_cycle text not null default 'new' constraint meter_device_life_cycle_check
          check (life_cycle in ('new', 'active', 'lost', 'retired')),
        time_zone text not null default 'UTC',
        current_transformer_ratio numeric,
        voltage_transformer_ratio numeric,
        version int not null default 1,
        network_interface_id uuid constraint meter_device_network_interface_id_foreign
          references network_interface on update cascade on delete restrict,
        credentials bytea,
        clock_deviation_seconds double precision,${tenant('meter_device')})`);
    this.addSql('create index meter_device_network_interface_id_index on meter_device (network_interface_id)');
    this.addSql(`
      create table series (
        name text not null,
        unit text,
        kind text not null default 'unknown' constraint series_kind_check
          check (kind in ('unknown', 'cumulative', 'interval', 'instantaneous')),
        multiplier numeric not null default 1,
        affected_by_current_transformer boolean not null default false,
        affected_by_voltage_transformer boolean not null default false,
        description text,${tenant('series')})`);

    const pivot = (table: string, left: string, right: string) => {
      const column = (name: string) =>
        `${name}_id uuid not null constraint ${table}_${name}_id_foreign references ${name} on update cascade on delete cascade`;
      this.addSql(`
        create table ${table} (
          ${column(left)},
          ${column(right)},
          constraint ${table}_pkey primary key (${left}_id, ${right}_id))`);
      this.addSql(`create index ${table}_reverse on ${table} (${right}_id)`);
    };
    pivot('amr_task_group_tasks', 'amr_task_group', 'amr_task');
    pivot('meter_device_task_groups', 'meter_device', 'amr_task_group');
    pivot('meter_device_meter_tasks', 'meter_device', 'amr_task');

    this.addSql(`
      create table register (
        id serial primary key,
        meter_device_id uuid not null constraint register_meter_device_id_foreign
          references meter_device on update cascade on delete restrict,
        series_id uuid not null constraint register_series_id_foreign references series on update cascade on delete restrict,
        constraint register_meter_device_id_series_id_unique unique (meter_device_id, series_id))`);
    this.addSql('create index register_series on register (series_id)');

    this.addSql(`
      create table meter_reading (
        register_id int not null,
        measured_at timestamptz(6) not null,
        value numeric not null,
        quality int not null default 0,
        origin smallint not null,
        received_at timestamptz(3) not null,
        constraint meter_reading_pkey primary key (register_id, measured_at) include (value, quality)
      ) partition by range (measured_at)`);
    this.addSql(`
      create table meter_reading_revision (
        id bigserial primary key,
        register_id int not null,
        measured_at timestamptz(6) not null,
        value numeric not null,
        quality int not null default 0,
        origin smallint not null,
        received_at timestamptz(3) not null,
        constraint meter_reading_revision_register_id_measured_at_value_unique unique (register_id, measured_at, value))`);
    this.addSql(`
      create table staged_reading (
        id bigserial primary key,
        organization_id uuid not null constraint staged_reading_organization_id_foreign
          references organization on update cascade on delete restrict,
        meter text not null,
        series text not null,
        measured_at timestamptz(6) not null,
        value numeric not null,
        unit text,
        quality int not null default 0,
        origin smallint not null,
        received_at timestamptz(3) not null,
        constraint staged_reading_once unique (organization_id, meter, series, measured_at, value))`);

    this.addSql(`
      create table task_slot (
        amr_task_id uuid not null constraint task_slot_amr_task_id_foreign references amr_task on update cascade on delete cascade,
        scheduled_for timestamptz(3) not null,
        run_count int not null,
        skipped boolean not null default false,
        created_at timestamptz(3) not null default now(),
        constraint task_slot_pkey primary key (amr_task_id, scheduled_for))`);
    this.addSql(`
      create table task_run (
        id uuid not null,
        scheduled_for timestamptz(3) not null,
        organization_id uuid not null,
        origin text not null constraint task_run_origin_check check (origin in ('scheduled', 'on_demand', 'backfill')),
        state text not null constraint task_run_state_check
          check (state in ('pending', 'dispatched', 'running', 'succeeded', 'failed', 'expired', 'cancelled')),
        meter_device_id uuid not null constraint task_run_meter_device_id_foreign
          references meter_device on update cascade on delete restrict,
        amr_task_id uuid constraint task_run_amr_task_id_foreign references amr_task on update cascade on delete set null,
        meter_execution_type text not null,
        task_call text not null,
        task_kwargs jsonb not null,
        priority smallint not null default 0,
        not_before timestamptz(3) not null,
        deadline timestamptz(3) not null,
        attempts int not null default 0,
        lost_tries int not null default 0,
        poll_session_id uuid,
        started_at timestamptz(3),
        finished_at timestamptz(3),
        reading_count int not null default 0,
        stored_count int not null default 0,
        duplicate_count int not null default 0,
        revised_count int not null default 0,
        rejected_count int not null default 0,
        error_code text,
        error_message text,
        result jsonb,
        constraint task_run_pkey primary key (id, scheduled_for),
        constraint task_run_slot unique (amr_task_id, meter_device_id, scheduled_for)
      ) partition by range (scheduled_for)`);
    this.addSql('create index task_run_meter on task_run (meter_device_id, scheduled_for)');
    this.addSql('create index task_run_organization on task_run (organization_id, scheduled_for)');
    // In the order of dispatch, so that a claim reads the most urgent runs and not all that are due.
    this.addSql(
      `create index task_run_due on task_run ((origin = 'on_demand') desc, priority desc, not_before) where state = 'pending'`,
    );
    this.addSql(`create index task_run_meter_due on task_run (meter_device_id) where state = 'pending'`);
    this.addSql(`create index task_run_session on task_run (poll_session_id) where state in ('dispatched', 'running')`);
    this.addSql(`
      create table invocation_key (
        organization_id uuid not null constraint invocation_key_organization_id_foreign
          references organization on update cascade on delete restrict,
        key text not null,
        task_run_id uuid not null,
        created_at timestamptz(3) not null default now(),
        constraint invocation_key_pkey primary key (organization_id, key))`);
    this.addSql(`
      create table poll_session (
        id uuid not null,
        organization_id uuid not null constraint poll_session_organization_id_foreign
          references organization on update cascade on delete restrict,
        network_interface_id uuid not null constraint poll_session_network_interface_id_foreign
          references network_interface on update cascade on delete restrict,
        meter_device_id uuid not null constraint poll_session_meter_device_id_foreign
          references meter_device on update cascade on delete restrict,
        queue text not null,
        attempt int not null,
        state text not null constraint poll_session_state_check check (state in ('dispatched', 'running', 'lost', 'closed')),
        lease_until timestamptz(3) not null,
        poller text,
        created_at timestamptz(3) not null default now(),
        started_at timestamptz(3),
        closed_at timestamptz(3),
        constraint poll_session_pkey primary key (id))`);
    this.addSql(
      'create unique index poll_session_one_open_per_interface on poll_session (network_interface_id) where closed_at is null',
    );
    this.addSql('create index poll_session_lease on poll_session (lease_until) where closed_at is null');

    this.addSql('create sequence reading_log_id_seq');
    this.addSql(`
      create table reading_log (
        id bigint not null default nextval('reading_log_id_seq'::regclass),
        committed_at timestamptz(3) not null default now(),
        organization_id uuid not null constraint reading_log_organization_id_foreign
          references organization on update cascade on delete restrict,
        position bigint,
        reading_count int not null,
        body text not null,
        constraint reading_log_pkey primary key (id, committed_at)
      ) partition by range (committed_at)`);
    // The body is written once and passed on as it is: compressing it would cost the ingester more than the disk saves.
    this.addSql('alter table reading_log alter column body set storage external');
    this.addSql('create index reading_log_position_index on reading_log (position)');
    this.addSql('create index reading_log_unnumbered on reading_log (id) where position is null');
    // The last position given. A row of its own, so that dropping old log partitions never restarts the count.
    this.addSql(
      'create table reading_log_head (only_row boolean primary key default true check (only_row), position bigint not null)',
    );
    this.addSql('insert into reading_log_head (position) values (0)');

    this.addSql(`
      create table dead_letter (
        id uuid not null,
        organization_id uuid not null constraint dead_letter_organization_id_foreign
          references organization on update cascade on delete restrict,
        queue text not null,
        reason text not null,
        fingerprint text not null,
        digest bytea not null,
        body bytea not null,
        occurrences int not null default 1,
        redrives int not null default 0,
        first_seen_at timestamptz(3) not null default now(),
        last_seen_at timestamptz(3) not null default now(),
        constraint dead_letter_pkey primary key (id),
        constraint dead_letter_queue_digest_unique unique (queue, digest))`);
    this.addSql(
      'create index dead_letter_organization_id_last_seen_at_index on dead_letter (organization_id, last_seen_at)',
    );
  }
}
