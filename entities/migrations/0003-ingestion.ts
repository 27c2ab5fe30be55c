import { Migration } from '@mikro-orm/migrations';

/** What the ingestion pipeline needs beyond the first schema: places of metering, revisions by policy, accounts. */
export class Ingestion extends Migration {
  override up(): void {
    this.addSql(
      `alter table organization add column revision_policy text not null default 'keep_first'
       constraint organization_revision_policy_check check (revision_policy in ('keep_first', 'take_latest'))`,
    );

    // Null in rows that were stored before: they count as collected when they were received.
    for (const table of ['meter_reading', 'meter_reading_revision', 'staged_reading']) {
      this.addSql(`alter table ${table} add column collected_at timestamptz(3)`);
      this.addSql(`alter table ${table} add column message_id uuid`);
    }
    // As the meter sent it, where value is a multiple of it.
    for (const table of ['meter_reading', 'meter_reading_revision'])
      this.addSql(`alter table ${table} add column raw_value numeric`);

    // For retention.
    this.addSql('create index meter_reading_revision_measured_at_index on meter_reading_revision (measured_at)');

    this.addSql('alter table staged_reading add column publisher uuid');
    this.addSql('alter table staged_reading add column published_at timestamptz(3)');
    this.addSql('alter table staged_reading drop constraint staged_reading_once');
    // With the message: which of two values is the first is decided when the meter is known.
    this.addSql(
      `create unique index staged_reading_once on staged_reading (organization_id, meter, series, measured_at, value, message_id) nulls not distinct`,
    );
    this.addSql('create index staged_reading_received_at_index on staged_reading (received_at)');
    this.addSql('create index staged_reading_organization_id_id_index on staged_reading (organization_id, id)');

    this.addSql(
      'create index meter_device_organization_id_serial_number_index on meter_device (organization_id, serial_number)',
    );

    // Kept apart from the register: it changes with every batch, and is written every few seconds only.
    this.addSql(`
      create table register_watermark (
        register_id int not null,
        watermark timestamptz(6) not null,
        late_count bigint not null default 0,
        updated_at timestamptz(3) not null default now(),
        constraint register_watermark_pkey primary key (register_id)) with (fillfactor = 70)`);

    this.addSql(`
      create table metering_point (
        name text not null,
        description text not null default '',
        customer_reference text,
        tariff_reference text,
        version int not null default 1,
        id uuid not null,
        organization_id uuid not null constraint metering_point_organization_id_foreign
          references organization on update cascade on delete restrict,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        constraint metering_point_pkey primary key (id),
        constraint metering_point_organization_id_name_unique unique (organization_id, name))`);
    this.addSql(
      'create index metering_point_organization_id_customer_reference_index on metering_point (organization_id, customer_reference)',
    );
    this.addSql(`
      create table installation (
        id uuid not null,
        organization_id uuid not null constraint installation_organization_id_foreign
          references organization on update cascade on delete restrict,
        metering_point_id uuid not null constraint installation_metering_point_id_foreign
          references metering_point on update cascade on delete restrict,
        meter_device_id uuid not null constraint installation_meter_device_id_foreign
          references meter_device on update cascade on delete restrict,
        installed_at timestamptz(3) not null,
        removed_at timestamptz(3),
        start_index numeric,
        end_index numeric,
        created_at timestamptz(3) not null default now(),
        updated_at timestamptz(3) not null default now(),
        constraint installation_pkey primary key (id),
        constraint installation_period check (removed_at is null or removed_at > installed_at),
        constraint installation_meter_device_id_installed_at_unique unique (meter_device_id, installed_at))`);
    this.addSql('create index installation_metering_point_id_index on installation (metering_point_id)');

    // Not the beginning of the transaction: what is measured with it is the time to the commit.
    this.addSql('alter table reading_log alter column committed_at set default clock_timestamp()');

    // Rows before it had no relay with a memory: they count as published.
    this.addSql('alter table reading_log_head add column published bigint not null default 0');
    this.addSql('update reading_log_head set published = position');
    // Null until the topic exchange is first switched on: it begins at the head, not with all that is in the log.
    this.addSql('alter table reading_log_head add column exchanged bigint');

    // Which messages were committed lately: one that comes again is not counted again.
    this.addSql(`
      create table ingested_batch (
        id bigserial primary key,
        ingester uuid not null,
        committed_at timestamptz(3) not null default now(),
        message_count int not null,
        message_ids uuid[] not null)`);
    this.addSql('alter table ingested_batch alter column message_ids set storage external');

    const outcomes = ['stored', 'duplicate', 'revised', 'staged', 'dead_lettered', 'discarded'];
    const sum = outcomes.join(' + ');
    // What a transaction did with readings, by the minute they were published in; folded into loss_minute by one hand.
    // Appended, not added up in place: ingesters would queue for the row of the minute. Emptied every second, so vacuumed for
    // a thousand dead rows: each look passes over those that are left.
    this.addSql(`
      create table reading_outcome (
        organization_id uuid not null,
        minute timestamptz(0) not null,
        publisher uuid,
        ${outcomes.map((column) => `${column} int not null default 0`).join(', ')},
        on_time int not null default 0,
        timed int not null default 0,
        booked_at timestamptz(3) not null default now())
      with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0)`);
    this.addSql(`
      create table loss_minute (
        organization_id uuid not null,
        minute timestamptz(0) not null,
        publisher uuid,
        published bigint not null default 0,
        closed boolean not null default false,
        reported_at timestamptz(3),
        ${outcomes.map((column) => `${column} bigint not null default 0`).join(', ')},
        on_time bigint not null default 0,
        timed bigint not null default 0,
        in_flight bigint generated always as (case
          when publisher is null then 0
          when closed then published - (${sum})
          else greatest(published - (${sum}), 0) end) stored,
        constraint loss_minute_once unique nulls not distinct (organization_id, minute, publisher))
      with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)`);
    this.addSql('create index loss_minute_minute_index on loss_minute (minute)');
    // Looked at every second; of all the minutes that are kept only these can raise an alarm.
    this.addSql('create index loss_minute_unbalanced on loss_minute (minute) where in_flight <> 0');
    // For objectives: slots by when their runs had all ended.
    this.addSql('create index task_slot_settled on task_slot (settled_at) where settled_at is not null');

    this.addSql(`alter table dead_letter add column state text not null default 'dead'
      constraint dead_letter_state_check check (state in ('dead', 'redriving', 'resolved', 'discarded'))`);
    this.addSql('alter table dead_letter add column reading_count int not null default 0');
    this.addSql('alter table dead_letter add column publisher uuid');
    this.addSql('alter table dead_letter add column published_at timestamptz(3)');
    this.addSql('alter table dead_letter add column redriven_at timestamptz(3)');
    this.addSql('alter table dead_letter add column closed_at timestamptz(3)');
    this.addSql('alter table dead_letter add column size int');
    this.addSql('update dead_letter set size = octet_length(body)');
    this.addSql('alter table dead_letter alter column size set not null');
    this.addSql('alter table dead_letter add column cut boolean not null default false');
    this.addSql('create index dead_letter_organization_id_id_index on dead_letter (organization_id, id)');
    this.addSql(`create index dead_letter_redriving on dead_letter (redriven_at) where state = 'redriving'`);
    this.addSql(`create index dead_letter_dead on dead_letter (queue) where state = 'dead'`);
    this.addSql('create index dead_letter_closed on dead_letter (closed_at) where closed_at is not null');
    // In which minutes the readings of a letter are counted as dead-lettered: there they are taken back.
    this.addSql(`
      create table dead_letter_booking (
        dead_letter_id uuid not null constraint dead_letter_booking_dead_letter_id_foreign
          references dead_letter on update cascade on delete cascade,
        minute timestamptz(0) not null,
        publisher uuid,
        readings int not null,
        constraint dead_letter_booking_once unique nulls not distinct (dead_letter_id, minute, publisher))`);
    this.addSql(
      'create index dead_letter_organization_id_state_fingerprint_index on dead_letter (organization_id, state, fingerprint)',
    );

    this.addSql(`
      create table audit_entry (
        id uuid not null,
        organization_id uuid not null constraint audit_entry_organization_id_foreign
          references organization on update cascade on delete restrict,
        at timestamptz(3) not null default now(),
        actor text not null,
        source text,
        action text not null,
        subject_type text not null,
        subject_id text,
        before jsonb,
        after jsonb,
        constraint audit_entry_pkey primary key (id))`);
    this.addSql('create index audit_entry_organization_id_id_index on audit_entry (organization_id, id)');

    this.addSql(`
      create table service_objective (
        organization_id uuid not null constraint service_objective_organization_id_foreign
          references organization on update cascade on delete restrict,
        kind text not null constraint service_objective_kind_check check (kind in ('latency', 'completeness', 'loss')),
        target numeric not null,
        max_latency_ms int,
        updated_at timestamptz(3) not null default now(),
        constraint service_objective_pkey primary key (organization_id, kind))`);
    this.addSql(`
      create table alert (
        id uuid not null,
        organization_id uuid not null constraint alert_organization_id_foreign
          references organization on update cascade on delete restrict,
        kind text not null,
        subject text not null,
        severity text not null constraint alert_severity_check check (severity in ('warning', 'critical')),
        message text not null,
        details jsonb not null default '{}',
        started_at timestamptz(3) not null default now(),
        last_seen_at timestamptz(3) not null default now(),
        resolved_at timestamptz(3),
        unannounced boolean not null default true,
        constraint alert_pkey primary key (id))`);
    this.addSql('create unique index alert_open on alert (organization_id, kind, subject) where resolved_at is null');
    this.addSql('create index alert_organization_id_id_index on alert (organization_id, id)');
    this.addSql('create index alert_unannounced on alert (id) where unannounced');
    this.addSql('create index alert_resolved_at_index on alert (resolved_at) where resolved_at is not null');

    // What an ingester says of its steps; null for pollers.
    this.addSql('alter table worker add column status jsonb');
  }
}
