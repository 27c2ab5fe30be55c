/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** When a task is due. All times UTC. */
export type AmrSchedule =
  /** At 00:00. */
  | 'DAILY'
  /** At :00 of each hour. */
  | 'HOURLY'
  /** On the 1st at 00:00. */
  | 'MONTHLY'
  /** Each quarter-hour: at :00, :15, :30 and :45. */
  | 'QUARTERLY'
  /** Mondays at 00:00. */
  | 'WEEKLY'
  /** On 1 January at 00:00. */
  | 'YEARLY';

/** Tasks that meet all conditions given. */
export type AmrTaskFilter = {
  /** Tasks in this group. */
  amrTaskGroup?: string | null | undefined;
  /** Tasks with one of these ids. */
  ids?: Array<string> | null | undefined;
  /** Active tasks, or inactive ones. */
  isActive?: boolean | null | undefined;
  /** Tasks that run for this meter, through a group or for it only. */
  meterDevice?: string | null | undefined;
  /** Tasks of this execution type, e.g. generic_lis200. */
  meterExecutionType?: string | null | undefined;
  /** The whole name. */
  name?: string | null | undefined;
  /** Part of the name, in any case. */
  nameContains?: string | null | undefined;
  /** Beginning of the name, in any case, e.g. EK280-. */
  nameStartsWith?: string | null | undefined;
  /** Tasks due so. */
  schedule?: AmrSchedule | null | undefined;
  /** Tasks of this call, e.g. read_archive_by_offset_seconds. */
  taskCall?: string | null | undefined;
  /** Tasks created or changed at this time or later, e.g. 2026-01-31T09:00:00Z. */
  updatedSince?: string | null | undefined;
};

/** What happens to slots missed while no scheduler ran. */
export type CatchUpPolicy =
  /** Each is run; those that one call can read together, in one run for the latest of them. */
  | 'ALL'
  /** Only the latest is run. */
  | 'LATEST'
  /** None of them is run. */
  | 'SKIP';

/** A task group to create. */
export type CreateAmrTaskGroupInput = {
  /** Free text. */
  description?: string | null | undefined;
  /** Unique in the organization, 1 to 150 characters. */
  name: string;
  /** All tasks of the group. */
  tasks?: Array<string> | null | undefined;
};

/** A task to create. */
export type CreateAmrTaskInput = {
  /** What happens to missed slots. Default LATEST. */
  catchUp?: CatchUpPolicy | null | undefined;
  /** Seconds after the earliest start after which a run is EXPIRED. Default null: one period of the schedule. */
  deadlineSeconds?: number | null | undefined;
  /** Free text. */
  description?: string | null | undefined;
  /** Whether its slots are run. Default true. */
  isActive?: boolean | null | undefined;
  /** e.g. generic_lis200; see meterExecutionTypes. */
  meterExecutionType: string;
  /** Unique in the organization, 1 to 150 characters. */
  name: string;
  /** Higher goes first, -1000 to 1000. Default 0. */
  priority?: number | null | undefined;
  /** Seconds from a slot to the earliest start, 0 to the period's length. Default 0. */
  runOffsetSeconds?: number | null | undefined;
  /** When it is due. */
  schedule: AmrSchedule;
  /** e.g. read_archive_by_offset_seconds; see meterExecutionTypes. */
  taskCall: string;
  /** Arguments of the call, e.g. {"offset_seconds": 3600, "archive_number": 3, "control_position": 3}; see meterExecutionTypes. Default {}. */
  taskKwargs?: Record<string, unknown> | null | undefined;
};

/** A token to create. */
export type CreateApiTokenInput = {
  /** When it ends by itself. Left out: never. */
  expiresAt?: string | null | undefined;
  /** What it is for, such as billing-export; unique in the organization, 1 to 150 characters. */
  name: string;
  /** What it may do. */
  role: Role;
  /** Queries, mutations and subscriptions it is good for, such as ["readings", "meterReadingAdded"]; what they return can be followed. Left out: all that its role allows. */
  scopes?: Array<string> | null | undefined;
};

/** A meter to register. */
export type CreateMeterDeviceInput = {
  /** Write-only, e.g. {"password": "00000000"}. Stored sealed; null removes them, and an empty object is refused. */
  credentials?: Record<string, unknown> | null | undefined;
  /** Current transformer ratio, above 0. */
  currentTransformerRatio?: string | null | undefined;
  /** The meter's id in the utility's own system. */
  externalReference?: string | null | undefined;
  /** Maker of the device. */
  manufacturer?: string | null | undefined;
  /** All tasks that run for this meter only. In an import their names will do as well. */
  meterTasks?: Array<string> | null | undefined;
  /** The maker's name of the device type. */
  model?: string | null | undefined;
  /** Unique in the organization, 1 to 150 characters. */
  name: string;
  /** How it is reached. In an import its name will do as well. */
  networkInterface?: string | null | undefined;
  /** Address on a shared line, in the protocol's own form. */
  protocolAddress?: string | null | undefined;
  /** Printed on the device by its maker; checked in each session when set. */
  serialNumber?: string | null | undefined;
  /** All task groups whose tasks run for this meter. In an import their names will do as well. */
  taskGroups?: Array<string> | null | undefined;
  /** IANA time zone of the meter clock, e.g. Europe/Vienna; saved in its canonical spelling. Default UTC. */
  timeZone?: string | null | undefined;
  /** Voltage transformer ratio, above 0. */
  voltageTransformerRatio?: string | null | undefined;
};

/** An interface to create. */
export type CreateNetworkInterfaceInput = {
  /** Line speed in baud (SERIAL). */
  baudRate?: number | null | undefined;
  /** Host name or address (TCP). */
  host?: string | null | undefined;
  /** TCP: give host and port. */
  kind: NetworkInterfaceKind;
  /** Unique in the organization, 1 to 150 characters. */
  name: string;
  /** Port, 1 to 65535 (TCP). */
  port?: number | null | undefined;
  /** Shared capacity that sessions over this interface count against. */
  segment?: string | null | undefined;
  /** Device file of the port (SERIAL). */
  serialPath?: string | null | undefined;
};

/** A segment to create. */
export type CreateSegmentInput = {
  /** Most sessions begun per second, 1 or more. Null: unlimited. */
  maxNewSessionsPerSecond?: number | null | undefined;
  /** Most sessions open at once, 1 or more. Null: unlimited. */
  maxOpenSessions?: number | null | undefined;
  /** Unique in the organization, 1 to 150 characters. */
  name: string;
};

/** What to delete, or to cancel. */
export type DeleteInput = {
  /** For deletes: the version you read; CONFLICT when it has changed since. */
  expectedVersion?: number | null | undefined;
  /** For deletes: also what is in use, with the links to it; runs that wait are cancelled, all in one transaction. No reading is ever lost. Default false: CONFLICT says what would break. */
  force?: boolean | null | undefined;
  /** Its id. */
  id: string;
};

/** Dead letters to give up for good. */
export type DiscardDeadLettersInput = {
  /** Only tells what would be done. Default false. */
  dryRun?: boolean | null | undefined;
  /** DEAD letters that failed in this way, at most 10,000 in one call, those redriven least first. */
  fingerprint?: string | null | undefined;
  /** These letters, at most 10,000. Either this or fingerprint. */
  ids?: Array<string> | null | undefined;
  /** Why nobody needs them, 1 to 150 characters: for the audit. */
  reason: string;
};

/** Meters to register or to change. */
export type ImportMeterDevicesInput = {
  /** Only tells what would be done. Default false. */
  dryRun?: boolean | null | undefined;
  /** 1 to 10,000 meters; a request holds up to 1 MB, some 5,000 with eight fields each. The meter with the externalReference of an item is updated, else the one with its name, else one is created. What an item leaves out stays as it is. */
  items: Array<CreateMeterDeviceInput>;
};

/** The steps every reading goes through, in this order. */
export type IngestStep =
  /** Writes the log row that subscribers read, and commits. */
  | 'DISPATCH'
  /** Finds the register of a reading, its factors and its place. */
  | 'ENRICH'
  /** Writes readings, revisions, staged readings, dead letters and the account. */
  | 'STORE'
  /** Checks messages and readings against their rules. */
  | 'VALIDATE';

/** How ingesters order their work; what is stored is the same. Set by AMR_INGEST_STRATEGY. */
export type IngestStrategy =
  /** Batches side by side, in no order. */
  | 'ASYNC'
  /** In order per meter within one ingester, side by side across meters. */
  | 'HYBRID'
  /** One elected ingester, one message after another in the order of arrival. */
  | 'SEQUENTIAL';

/** One call on one meter: the same arguments as a task, but no AmrTask is saved. */
export type InvokeTaskInput = {
  /** Seconds after the earliest start after which the run is EXPIRED. Default 600. */
  deadlineSeconds?: number | null | undefined;
  /** The same key again returns the first call's run; CONFLICT when meter, call or kwargs differ. E.g. a UUID of your own. */
  idempotencyKey?: string | null | undefined;
  /** The meter to carry it out on. */
  meterDevice: string;
  /** e.g. generic_lis200; see meterExecutionTypes. */
  meterExecutionType: string;
  /** Seconds from now to the earliest start, up to 365 days. Default 0. */
  runOffsetSeconds?: number | null | undefined;
  /** e.g. read_archive_by_offset_seconds; see meterExecutionTypes. */
  taskCall: string;
  /** Arguments of the call, e.g. {"offset_seconds": 3600, "archive_number": 3, "control_position": 3}; see meterExecutionTypes. Default {}. */
  taskKwargs?: Record<string, unknown> | null | undefined;
};

/** Meters that meet all conditions given. */
export type MeterDeviceFilter = {
  /** Meters that this task runs for, through a group or on its own. */
  amrTask?: string | null | undefined;
  /** Meters that refused their credentials and are left alone since, or all others. */
  credentialsRejected?: boolean | null | undefined;
  /** The id in the utility's own system. */
  externalReference?: string | null | undefined;
  /** One of these ids in the utility's own system. */
  externalReferences?: Array<string> | null | undefined;
  /** Meters with credentials stored, or those without. */
  hasCredentials?: boolean | null | undefined;
  /** Meters with an interface, or those without. */
  hasNetworkInterface?: boolean | null | undefined;
  /** Meters without one: silent since this time, or never read. */
  hasNoReadingsSince?: string | null | undefined;
  /** Meters with a reading measured at this time or later, e.g. 2026-01-31T09:00:00Z. */
  hasReadingsSince?: string | null | undefined;
  /** Meters with one of these ids. */
  ids?: Array<string> | null | undefined;
  /** Meters that are at a metering point now, or those that are at none. */
  isInstalled?: boolean | null | undefined;
  /** Meters at this point of their service life. */
  lifeCycle?: MeterLifeCycle | null | undefined;
  /** Meters at one of these points of their service life. */
  lifeCycles?: Array<MeterLifeCycle> | null | undefined;
  /** The whole name of the maker. */
  manufacturer?: string | null | undefined;
  /** Meters that are at this metering point now. */
  meteringPoint?: string | null | undefined;
  /** The maker's whole name of the device type. */
  model?: string | null | undefined;
  /** The whole name. */
  name?: string | null | undefined;
  /** Part of the name, in any case. */
  nameContains?: string | null | undefined;
  /** Beginning of the name, in any case, e.g. EK280-. */
  nameStartsWith?: string | null | undefined;
  /** Meters reached over this interface. */
  networkInterface?: string | null | undefined;
  /** Meters whose interface is in this segment. */
  segment?: string | null | undefined;
  /** The whole serial number. */
  serialNumber?: string | null | undefined;
  /** One of these serial numbers. */
  serialNumbers?: Array<string> | null | undefined;
  /** Meters in this task group. */
  taskGroup?: string | null | undefined;
  /** Meters in one of these task groups. */
  taskGroups?: Array<string> | null | undefined;
  /** Meters created or changed at this time or later, e.g. 2026-01-31T09:00:00Z. */
  updatedSince?: string | null | undefined;
};

/** Where a meter is in its service life. */
export type MeterLifeCycle =
  /** In service. */
  | 'ACTIVE'
  /** Not reached for long. */
  | 'LOST'
  /** Registered; no reading yet. */
  | 'NEW'
  /** Out of service: never polled again, readings kept. */
  | 'RETIRED';

/** Readings that meet all conditions given. */
export type MeterReadingFilter = {
  /** Readings of these meters. */
  meterDevices?: Array<string> | null | undefined;
  /** Readings that came so. */
  origins?: Array<ReadingOrigin> | null | undefined;
  /** Readings of these series, by name. */
  series?: Array<string> | null | undefined;
  /** Readings of meters in one of these task groups. */
  taskGroups?: Array<string> | null | undefined;
};

/** The way to meters. */
export type NetworkInterfaceKind =
  /** A serial port of the poller. Refused: pollers open TCP connections only. */
  | 'SERIAL'
  /** A TCP connection to host and port. */
  | 'TCP';

/** One value of one series of one meter at one time. */
export type NewMeterReadingInput = {
  /** Id or name of the meter; readings of an unknown one wait 30 days for it. */
  meter: string;
  /** What was measured, OBIS code preferred, 1 to 150 characters. */
  series: string;
  /** Status bits, see docs/messages.md. Default 0: good. */
  status?: number | null | undefined;
  /** When it was measured; of an interval its end. */
  timestamp: string;
  /** Unit of the value, 1 to 20 characters, e.g. m3. */
  unit?: string | null | undefined;
  /** The exact value. */
  value: string;
};

/** A task to plan: a new one, or a saved one with changes. What is left out is taken from amrTask, where that is given. */
export type PlanAmrTaskInput = {
  /** A saved task. */
  amrTask?: string | null | undefined;
  /** Groups that the task is in, in place of those of amrTask. */
  amrTaskGroups?: Array<string> | null | undefined;
  /** Seconds after the earliest start after which a run is EXPIRED. Default: one period of the schedule. */
  deadlineSeconds?: number | null | undefined;
  /** Meters that run the task on their own, at most 10,000, in place of those of amrTask. */
  meterDevices?: Array<string> | null | undefined;
  /** e.g. generic_lis200. Needed without amrTask. */
  meterExecutionType?: string | null | undefined;
  /** Seconds from a slot to the earliest start, 0 to the period's length. Default 0. */
  runOffsetSeconds?: number | null | undefined;
  /** When it is due. Needed without amrTask. */
  schedule?: AmrSchedule | null | undefined;
  /** e.g. read_archive_by_offset_seconds. Needed without amrTask. */
  taskCall?: string | null | undefined;
  /** Arguments of the call, e.g. {"offset_seconds": 3600, "archive_number": 3, "control_position": 3}. Default {}. */
  taskKwargs?: Record<string, unknown> | null | undefined;
};

/** How a reading came here. */
export type ReadingOrigin =
  /** Read again from the archive of the meter to fill a gap. */
  | 'BACKFILL'
  /** Submitted by another system. */
  | 'IMPORT'
  /** Polled by an invocation. */
  | 'ON_DEMAND'
  /** Sent by the meter on its own. */
  | 'PUSH'
  /** Polled for a slot of a task. */
  | 'SCHEDULED';

/** Dead letters to put back into their queues. */
export type RedriveDeadLettersInput = {
  /** Only tells what would be done. Default false. */
  dryRun?: boolean | null | undefined;
  /** DEAD letters that failed in this way, at most 10,000 in one call, those redriven least first. */
  fingerprint?: string | null | undefined;
  /** Letters too that were redriven three times and came back. Default false. */
  force?: boolean | null | undefined;
  /** These letters, at most 10,000. Either this or fingerprint. */
  ids?: Array<string> | null | undefined;
  /** Letters put back in a second, 1 to 5000. Default 200. */
  ratePerSecond?: number | null | undefined;
};

/** What a caller of the API may do. Each may do what those before it may. */
export type Role =
  /** Tokens, what holds for the organization, and what cannot be undone. */
  | 'ADMIN'
  /** Meters, tasks, runs, readings and dead letters that are put back. */
  | 'OPERATOR'
  /** Queries and subscriptions. */
  | 'VIEWER';

/** What made a run. */
export type RunOrigin =
  /** A gap that is read again from the archive of the meter. */
  | 'BACKFILL'
  /** An invocation through the API. */
  | 'ON_DEMAND'
  /** A slot of a task. */
  | 'SCHEDULED';

/** What values of a series mean. */
export type SeriesKind =
  /** A counter; consumption is the difference of two values. */
  | 'CUMULATIVE'
  /** A value at a moment, such as a temperature. */
  | 'INSTANTANEOUS'
  /** An amount per interval, stamped at its end. */
  | 'INTERVAL'
  /** Not told yet. */
  | 'UNKNOWN';

/** Where the expected time of a session comes from. */
export type SessionTimeBasis =
  /** Assumed, as there were too few such runs. */
  | 'DEFAULT'
  /** From runs of the same call in the last 7 days. */
  | 'MEASURED';

/** Readings that another program brings. */
export type SubmitReadingsInput = {
  /** When they were collected: decides which of two values for one time is the first. Default now. */
  collectedAt?: string | null | undefined;
  /** PUSH or IMPORT. Default PUSH. */
  origin?: ReadingOrigin | null | undefined;
  /** 1 to 10,000 readings, of any meters; a request holds up to 1 MB. */
  readings: Array<NewMeterReadingInput>;
};

/** Runs that meet all conditions given. */
export type TaskRunFilter = {
  /** Runs of this task. */
  amrTask?: string | null | undefined;
  /** Runs of the tasks of this group on meters of this group. Lists only. */
  amrTaskGroup?: string | null | undefined;
  /** Runs of one of these tasks. */
  amrTasks?: Array<string> | null | undefined;
  /** Runs that ended FAILED, EXPIRED or CANCELLED with this error code, e.g. TIMEOUT. */
  errorCode?: string | null | undefined;
  /** Runs that ended so with one of these error codes. */
  errorCodes?: Array<string> | null | undefined;
  /** Runs that ended at this time or later. */
  finishedFrom?: string | null | undefined;
  /** Runs that ended before this time. */
  finishedTo?: string | null | undefined;
  /** Runs scheduled for this time or later. */
  from?: string | null | undefined;
  /** Runs with one of these ids. */
  ids?: Array<string> | null | undefined;
  /** Runs on this meter. */
  meterDevice?: string | null | undefined;
  /** Runs on one of these meters. */
  meterDevices?: Array<string> | null | undefined;
  /** Runs of this execution type, e.g. generic_lis200. */
  meterExecutionType?: string | null | undefined;
  /** Runs on meters reached over this interface. Lists only. */
  networkInterface?: string | null | undefined;
  /** Runs made so. */
  origin?: RunOrigin | null | undefined;
  /** Runs on meters whose interface is in this segment. Lists only. */
  segment?: string | null | undefined;
  /** Runs in one of these states. */
  states?: Array<TaskRunState> | null | undefined;
  /** Runs of this call, e.g. set_time. */
  taskCall?: string | null | undefined;
  /** Runs scheduled for before this time. */
  to?: string | null | undefined;
};

/** Where a run stands. The last four are final. */
export type TaskRunState =
  /** Withdrawn before it had ended. */
  | 'CANCELLED'
  /** Handed to the pollers. */
  | 'DISPATCHED'
  /** Its deadline passed before it could be carried out. */
  | 'EXPIRED'
  /** Given up; errorCode and errorMessage say why. */
  | 'FAILED'
  /** Waits for its time, a free interface or its next try. */
  | 'PENDING'
  /** A poller is at the meter. */
  | 'RUNNING'
  /** Read; what was read is confirmed by the broker. */
  | 'SUCCEEDED';

/** Scheduled runs of the slots of a period that meet all conditions given. */
export type TaskRunSummaryFilter = {
  /** Runs of this task. */
  amrTask?: string | null | undefined;
  /** Runs of the tasks of this group on meters of this group. */
  amrTaskGroup?: string | null | undefined;
  /** Slots from this time on. */
  from: string;
  /** Slots before this time; at most 400 days after from. */
  to: string;
};

/** Changes to a task group; what is left out stays. */
export type UpdateAmrTaskGroupInput = {
  /** Free text. */
  description?: string | null | undefined;
  /** The version you read: CONFLICT when the group has changed since. */
  expectedVersion?: number | null | undefined;
  /** The group to change. */
  id: string;
  /** Unique in the organization, 1 to 150 characters. */
  name?: string | null | undefined;
  /** All tasks of the group. */
  tasks?: Array<string> | null | undefined;
};

/** Changes to a task; what is left out stays. */
export type UpdateAmrTaskInput = {
  /** What happens to missed slots. Default LATEST. */
  catchUp?: CatchUpPolicy | null | undefined;
  /** Seconds after the earliest start after which a run is EXPIRED. Default null: one period of the schedule. */
  deadlineSeconds?: number | null | undefined;
  /** Free text. */
  description?: string | null | undefined;
  /** The version you read: CONFLICT when the task has changed since. */
  expectedVersion?: number | null | undefined;
  /** The task to change. */
  id: string;
  /** Whether its slots are run. Default true. */
  isActive?: boolean | null | undefined;
  /** e.g. generic_lis200; see meterExecutionTypes. */
  meterExecutionType?: string | null | undefined;
  /** Unique in the organization, 1 to 150 characters. */
  name?: string | null | undefined;
  /** Higher goes first, -1000 to 1000. Default 0. */
  priority?: number | null | undefined;
  /** Seconds from a slot to the earliest start, 0 to the period's length. Default 0. */
  runOffsetSeconds?: number | null | undefined;
  /** When it is due. Slots before the change are not run. */
  schedule?: AmrSchedule | null | undefined;
  /** e.g. read_archive_by_offset_seconds; see meterExecutionTypes. */
  taskCall?: string | null | undefined;
  /** Arguments of the call, e.g. {"offset_seconds": 3600, "archive_number": 3, "control_position": 3}; see meterExecutionTypes. Default {}. */
  taskKwargs?: Record<string, unknown> | null | undefined;
};

/** Changes to a meter; what is left out stays. */
export type UpdateMeterDeviceInput = {
  /** Write-only, e.g. {"password": "00000000"}. Stored sealed; null removes them, and an empty object is refused. */
  credentials?: Record<string, unknown> | null | undefined;
  /** Current transformer ratio, above 0. */
  currentTransformerRatio?: string | null | undefined;
  /** The version you read: CONFLICT when the meter has changed since. */
  expectedVersion?: number | null | undefined;
  /** The meter's id in the utility's own system. */
  externalReference?: string | null | undefined;
  /** The meter to change. */
  id: string;
  /** RETIRED meters are never polled again. */
  lifeCycle?: MeterLifeCycle | null | undefined;
  /** Maker of the device. */
  manufacturer?: string | null | undefined;
  /** All tasks that run for this meter only. In an import their names will do as well. */
  meterTasks?: Array<string> | null | undefined;
  /** The maker's name of the device type. */
  model?: string | null | undefined;
  /** Unique in the organization, 1 to 150 characters. */
  name?: string | null | undefined;
  /** How it is reached. In an import its name will do as well. */
  networkInterface?: string | null | undefined;
  /** Address on a shared line, in the protocol's own form. */
  protocolAddress?: string | null | undefined;
  /** Printed on the device by its maker; checked in each session when set. */
  serialNumber?: string | null | undefined;
  /** All task groups whose tasks run for this meter. In an import their names will do as well. */
  taskGroups?: Array<string> | null | undefined;
  /** IANA time zone of the meter clock, e.g. Europe/Vienna; saved in its canonical spelling. Default UTC. */
  timeZone?: string | null | undefined;
  /** Voltage transformer ratio, above 0. */
  voltageTransformerRatio?: string | null | undefined;
};

/** Changes to an interface; what is left out stays. */
export type UpdateNetworkInterfaceInput = {
  /** Line speed in baud (SERIAL). */
  baudRate?: number | null | undefined;
  /** The version you read: CONFLICT when the interface has changed since. */
  expectedVersion?: number | null | undefined;
  /** Host name or address (TCP). */
  host?: string | null | undefined;
  /** The interface to change. */
  id: string;
  /** Unique in the organization, 1 to 150 characters. */
  name?: string | null | undefined;
  /** Port, 1 to 65535 (TCP). */
  port?: number | null | undefined;
  /** Shared capacity that sessions over this interface count against. */
  segment?: string | null | undefined;
  /** Device file of the port (SERIAL). */
  serialPath?: string | null | undefined;
};

/** Creates the series of this name, or changes it; what is left out stays. */
export type UpsertSeriesInput = {
  /** Whether a meter's current transformer ratio applies. Default false. */
  affectedByCurrentTransformer?: boolean | null | undefined;
  /** Whether a meter's voltage transformer ratio applies. Default false. */
  affectedByVoltageTransformer?: boolean | null | undefined;
  /** Free text. */
  description?: string | null | undefined;
  /** The version you read: CONFLICT when the series has changed since. */
  expectedVersion?: number | null | undefined;
  /** What the values mean. Default UNKNOWN. */
  kind?: SeriesKind | null | undefined;
  /** Factor from a stored value to the unit, above 0. Default "1". */
  multiplier?: string | null | undefined;
  /** OBIS code preferred, 1 to 150 characters. */
  name: string;
  /** Unit of the values, e.g. m3. */
  unit?: string | null | undefined;
};

/** Whether a worker works. */
export type WorkerState =
  /** It reports itself. */
  | 'ACTIVE'
  /** Not heard of for 35 seconds, and it did not say that it stops. */
  | 'SILENT'
  /** It said that it stops. */
  | 'STOPPED';

export type AmrTasksQueryVariables = Exact<{
  filter?: AmrTaskFilter | null | undefined;
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type AmrTasksQuery = { amrTasks: { totalCount: number, nodes: Array<{ id: string, name: string, isActive: boolean, schedule: AmrSchedule, runOffsetSeconds: number, meterExecutionType: string, taskCall: string, taskKwargs: Record<string, unknown>, nextRunAt: string | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type CreateAmrTaskMutationVariables = Exact<{
  input: CreateAmrTaskInput;
}>;


export type CreateAmrTaskMutation = { createAmrTask: { amrTask: { id: string, name: string, nextRunAt: string | null } } };

export type UpdateAmrTaskMutationVariables = Exact<{
  input: UpdateAmrTaskInput;
}>;


export type UpdateAmrTaskMutation = { updateAmrTask: { amrTask: { id: string, name: string, isActive: boolean, nextRunAt: string | null } } };

export type DeleteAmrTaskMutationVariables = Exact<{
  id: string;
}>;


export type DeleteAmrTaskMutation = { deleteAmrTask: { id: string } };

export type AmrTaskGroupsQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type AmrTaskGroupsQuery = { amrTaskGroups: { totalCount: number, nodes: Array<{ id: string, name: string, tasks: Array<{ id: string, name: string }> }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type CreateAmrTaskGroupMutationVariables = Exact<{
  input: CreateAmrTaskGroupInput;
}>;


export type CreateAmrTaskGroupMutation = { createAmrTaskGroup: { amrTaskGroup: { id: string, name: string } } };

export type UpdateAmrTaskGroupMutationVariables = Exact<{
  input: UpdateAmrTaskGroupInput;
}>;


export type UpdateAmrTaskGroupMutation = { updateAmrTaskGroup: { amrTaskGroup: { id: string, name: string } } };

export type DeleteAmrTaskGroupMutationVariables = Exact<{
  id: string;
}>;


export type DeleteAmrTaskGroupMutation = { deleteAmrTaskGroup: { id: string } };

export type ApiTokensQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type ApiTokensQuery = { apiTokens: { nodes: Array<{ id: string, name: string, role: Role, scopes: Array<string> | null, createdAt: string, expiresAt: string | null, lastUsedAt: string | null, revokedAt: string | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type CreateApiTokenMutationVariables = Exact<{
  input: CreateApiTokenInput;
}>;


export type CreateApiTokenMutation = { createApiToken: { secret: string, apiToken: { id: string, name: string, role: Role, expiresAt: string | null } } };

export type RevokeApiTokenMutationVariables = Exact<{
  input: DeleteInput;
}>;


export type RevokeApiTokenMutation = { revokeApiToken: { apiToken: { id: string, name: string, revokedAt: string | null } } };

export type CancelTaskRunMutationVariables = Exact<{
  id: string;
}>;


export type CancelTaskRunMutation = { cancelTaskRun: { taskRun: { cancelRequestedAt: string | null, id: string, state: TaskRunState, attempts: number, scheduledFor: string, notBefore: string, startedAt: string | null, finishedAt: string | null, readingCount: number, storedCount: number, duplicateCount: number, revisedCount: number, rejectedCount: number, errorCode: string | null, errorMessage: string | null, result: Record<string, unknown> | null } } };

export type DeadLetterGroupsQueryVariables = Exact<{
  queue?: string | null | undefined;
  first?: number | null | undefined;
}>;


export type DeadLetterGroupsQuery = { deadLetterGroups: Array<{ fingerprint: string, reason: string, count: number, readings: string, occurrences: string, lastSeenAt: string, newest: { id: string } | null }> };

export type RedriveDeadLettersMutationVariables = Exact<{
  input: RedriveDeadLettersInput;
}>;


export type RedriveDeadLettersMutation = { redriveDeadLetters: { matched: number, redriven: number, underWay: number, refused: Array<{ id: string, reason: string }> } };

export type DiscardDeadLettersMutationVariables = Exact<{
  input: DiscardDeadLettersInput;
}>;


export type DiscardDeadLettersMutation = { discardDeadLetters: { matched: number, discarded: number, refused: Array<{ id: string, reason: string }> } };

export type ImportMeterDevicesMutationVariables = Exact<{
  input: ImportMeterDevicesInput;
}>;


export type ImportMeterDevicesMutation = { importMeterDevices: { created: number, updated: number, unchanged: number, failed: number, items: Array<{ index: number, id: string | null, created: boolean, errorCode: string | null, errorMessage: string | null, errorField: string | null }> } };

export type IngestionQueryVariables = Exact<{ [key: string]: never; }>;


export type IngestionQuery = { ingestion: { backlog: string | null, deadLetterBacklog: number, strategy: IngestStrategy | null, readingsPerSecond: number, slowestStep: IngestStep | null, relayLagSeconds: number, relayLagBatches: string, lastError: { step: IngestStep, message: string, at: string, ingester: string } | null, ingesters: Array<{ id: string, host: string, pid: number, version: string, state: WorkerState, isWorking: boolean, strategy: IngestStrategy | null, readingsPerSecond: number, steps: Array<{ step: IngestStep, batches: string, readings: string, errors: string, inFlight: number, p50Ms: number | null, p95Ms: number | null, totalMs: number, shareOfTime: number | null, lastError: { message: string, at: string } | null }> }> } };

export type InvokeTaskMutationVariables = Exact<{
  input: InvokeTaskInput;
}>;


export type InvokeTaskMutation = { invokeTask: { taskRun: { id: string, state: TaskRunState, attempts: number, scheduledFor: string, notBefore: string, startedAt: string | null, finishedAt: string | null, readingCount: number, storedCount: number, duplicateCount: number, revisedCount: number, rejectedCount: number, errorCode: string | null, errorMessage: string | null, result: Record<string, unknown> | null } } };

export type MeterDevicesQueryVariables = Exact<{
  filter?: MeterDeviceFilter | null | undefined;
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type MeterDevicesQuery = { meterDevices: { totalCount: number, nodes: Array<{ id: string, name: string, serialNumber: string | null, lifeCycle: MeterLifeCycle, version: number, lastReadingAt: string | null, taskGroups: Array<{ id: string, name: string }> }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type CreateMeterDeviceMutationVariables = Exact<{
  input: CreateMeterDeviceInput;
}>;


export type CreateMeterDeviceMutation = { createMeterDevice: { meterDevice: { id: string, name: string, version: number } } };

export type UpdateMeterDeviceMutationVariables = Exact<{
  input: UpdateMeterDeviceInput;
}>;


export type UpdateMeterDeviceMutation = { updateMeterDevice: { meterDevice: { id: string, name: string, version: number } } };

export type DeleteMeterDeviceMutationVariables = Exact<{
  id: string;
}>;


export type DeleteMeterDeviceMutation = { deleteMeterDevice: { id: string } };

export type MeterExecutionTypesQueryVariables = Exact<{ [key: string]: never; }>;


export type MeterExecutionTypesQuery = { meterExecutionTypes: Array<{ name: string, description: string, calls: Array<{ name: string, description: string, writesToMeter: boolean, kwargsSchema: Record<string, unknown> }> }> };

export type NetworkInterfacesQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type NetworkInterfacesQuery = { networkInterfaces: { totalCount: number, nodes: Array<{ id: string, name: string, kind: NetworkInterfaceKind, host: string | null, port: number | null, isBusy: boolean }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type CreateNetworkInterfaceMutationVariables = Exact<{
  input: CreateNetworkInterfaceInput;
}>;


export type CreateNetworkInterfaceMutation = { createNetworkInterface: { networkInterface: { id: string, name: string } } };

export type UpdateNetworkInterfaceMutationVariables = Exact<{
  input: UpdateNetworkInterfaceInput;
}>;


export type UpdateNetworkInterfaceMutation = { updateNetworkInterface: { networkInterface: { id: string, name: string, host: string | null, port: number | null } } };

export type DeleteNetworkInterfaceMutationVariables = Exact<{
  id: string;
}>;


export type DeleteNetworkInterfaceMutation = { deleteNetworkInterface: { id: string } };

export type CreateSegmentMutationVariables = Exact<{
  input: CreateSegmentInput;
}>;


export type CreateSegmentMutation = { createSegment: { segment: { id: string, name: string } } };

export type ReadingsQueryVariables = Exact<{
  meterDevice: string;
  series?: Array<string> | string | null | undefined;
  from: string;
  to: string;
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type ReadingsQuery = { readings: { next: string | null, columns: Array<{ timestamps: Array<string>, values: Array<string>, qualities: Array<string>, register: { series: { name: string, unit: string | null } } }> } };

export type LatestReadingsQueryVariables = Exact<{
  filter?: MeterReadingFilter | null | undefined;
  first?: number | null | undefined;
}>;


export type LatestReadingsQuery = { latestReadings: Array<{ series: string, unit: string | null, timestamp: string, value: string, quality: Array<string>, meterDevice: { id: string, name: string } }> };

export type MeterReadingAddedSubscriptionVariables = Exact<{
  filter?: MeterReadingFilter | null | undefined;
  after?: string | null | undefined;
}>;


export type MeterReadingAddedSubscription = { meterReadingAdded: { cursor: string | null, series: string, unit: string | null, timestamp: string, value: string, quality: Array<string>, origin: ReadingOrigin, receivedAt: string, meterDevice: { id: string, name: string } } };

export type SeriesListQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type SeriesListQuery = { seriesList: { nodes: Array<{ id: string, name: string, unit: string | null, kind: SeriesKind, multiplier: string }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type UpsertSeriesMutationVariables = Exact<{
  input: UpsertSeriesInput;
}>;


export type UpsertSeriesMutation = { upsertSeries: { series: { id: string, name: string, unit: string | null, kind: SeriesKind } } };

export type SubmitReadingsMutationVariables = Exact<{
  input: SubmitReadingsInput;
}>;


export type SubmitReadingsMutation = { submitReadings: { accepted: number } };

export type PlanAmrTaskQueryVariables = Exact<{
  input: PlanAmrTaskInput;
}>;


export type PlanAmrTaskQuery = { planAmrTask: { metersReached: number, sessionsPerSlot: number, pollerCapacity: number, expectedDurationSeconds: number | null, availableSeconds: number, parallelSessionsNeeded: number, finishesBeforeNextSlot: boolean, advice: Array<string>, metersLeftOut: { retired: number, withoutInterface: number, credentialsRejected: number }, secondsPerSession: { expected: number, p95: number, basis: SessionTimeBasis, sampleSize: number }, hottestInterface: { meters: number, seconds: number, networkInterface: { id: string, name: string } } | null, hottestSegment: { meters: number, seconds: number, segment: { id: string, name: string } } | null } };

export type RunCountsFragment = { runs: number, pending: number, dispatched: number, running: number, succeeded: number, failed: number, expired: number, cancelled: number, successRate: number | null, errors: Array<{ code: string, count: number }> };

export type TaskRunSummaryQueryVariables = Exact<{
  filter: TaskRunSummaryFilter;
}>;


export type TaskRunSummaryQuery = { taskRunSummary: { runs: number, pending: number, dispatched: number, running: number, succeeded: number, failed: number, expired: number, cancelled: number, successRate: number | null, errors: Array<{ code: string, count: number }> } };

export type RunProgressFragment = { id: string, state: TaskRunState, attempts: number, scheduledFor: string, notBefore: string, startedAt: string | null, finishedAt: string | null, readingCount: number, storedCount: number, duplicateCount: number, revisedCount: number, rejectedCount: number, errorCode: string | null, errorMessage: string | null, result: Record<string, unknown> | null };

export type TaskRunQueryVariables = Exact<{
  id: string;
}>;


export type TaskRunQuery = { taskRun: { id: string, state: TaskRunState, attempts: number, scheduledFor: string, notBefore: string, startedAt: string | null, finishedAt: string | null, readingCount: number, storedCount: number, duplicateCount: number, revisedCount: number, rejectedCount: number, errorCode: string | null, errorMessage: string | null, result: Record<string, unknown> | null } | null };

export type TaskRunsQueryVariables = Exact<{
  filter?: TaskRunFilter | null | undefined;
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type TaskRunsQuery = { taskRuns: { totalCount: number, nodes: Array<{ id: string, state: TaskRunState, attempts: number, scheduledFor: string, notBefore: string, startedAt: string | null, finishedAt: string | null, readingCount: number, storedCount: number, duplicateCount: number, revisedCount: number, rejectedCount: number, errorCode: string | null, errorMessage: string | null, result: Record<string, unknown> | null, meterDevice: { id: string, name: string } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type TaskRunUpdatedSubscriptionVariables = Exact<{
  filter?: TaskRunFilter | null | undefined;
}>;


export type TaskRunUpdatedSubscription = { taskRunUpdated: { id: string, state: TaskRunState, attempts: number, scheduledFor: string, notBefore: string, startedAt: string | null, finishedAt: string | null, readingCount: number, storedCount: number, duplicateCount: number, revisedCount: number, rejectedCount: number, errorCode: string | null, errorMessage: string | null, result: Record<string, unknown> | null } };

export type WorkersQueryVariables = Exact<{ [key: string]: never; }>;


export type WorkersQuery = { workers: Array<{ id: string, kind: string, host: string, pid: number, version: string, queues: Array<string>, maxSessions: number, openSessions: number, startedAt: string, lastSeenAt: string, state: WorkerState }> };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}
export const RunCountsFragmentDoc = new TypedDocumentString(`
    fragment RunCounts on TaskRunSummary {
  runs
  pending
  dispatched
  running
  succeeded
  failed
  expired
  cancelled
  successRate
  errors {
    code
    count
  }
}
    `, {"fragmentName":"RunCounts"}) as unknown as TypedDocumentString<RunCountsFragment, unknown>;
export const RunProgressFragmentDoc = new TypedDocumentString(`
    fragment RunProgress on TaskRun {
  id
  state
  attempts
  scheduledFor
  notBefore
  startedAt
  finishedAt
  readingCount
  storedCount
  duplicateCount
  revisedCount
  rejectedCount
  errorCode
  errorMessage
  result
}
    `, {"fragmentName":"RunProgress"}) as unknown as TypedDocumentString<RunProgressFragment, unknown>;
export const AmrTasksDocument = new TypedDocumentString(`
    query AmrTasks($filter: AmrTaskFilter, $first: Int, $after: String) {
  amrTasks(filter: $filter, first: $first, after: $after) {
    totalCount
    nodes {
      id
      name
      isActive
      schedule
      runOffsetSeconds
      meterExecutionType
      taskCall
      taskKwargs
      nextRunAt
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    `) as unknown as TypedDocumentString<AmrTasksQuery, AmrTasksQueryVariables>;
export const CreateAmrTaskDocument = new TypedDocumentString(`
    mutation CreateAmrTask($input: CreateAmrTaskInput!) {
  createAmrTask(input: $input) {
    amrTask {
      id
      name
      nextRunAt
    }
  }
}
    `) as unknown as TypedDocumentString<CreateAmrTaskMutation, CreateAmrTaskMutationVariables>;
export const UpdateAmrTaskDocument = new TypedDocumentString(`
    mutation UpdateAmrTask($input: UpdateAmrTaskInput!) {
  updateAmrTask(input: $input) {
    amrTask {
      id
      name
      isActive
      nextRunAt
    }
  }
}
    `) as unknown as TypedDocumentString<UpdateAmrTaskMutation, UpdateAmrTaskMutationVariables>;
export const DeleteAmrTaskDocument = new TypedDocumentString(`
    mutation DeleteAmrTask($id: ID!) {
  deleteAmrTask(input: {id: $id}) {
    id
  }
}
    `) as unknown as TypedDocumentString<DeleteAmrTaskMutation, DeleteAmrTaskMutationVariables>;
export const AmrTaskGroupsDocument = new TypedDocumentString(`
    query AmrTaskGroups($first: Int, $after: String) {
  amrTaskGroups(first: $first, after: $after) {
    totalCount
    nodes {
      id
      name
      tasks {
        id
        name
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    `) as unknown as TypedDocumentString<AmrTaskGroupsQuery, AmrTaskGroupsQueryVariables>;
export const CreateAmrTaskGroupDocument = new TypedDocumentString(`
    mutation CreateAmrTaskGroup($input: CreateAmrTaskGroupInput!) {
  createAmrTaskGroup(input: $input) {
    amrTaskGroup {
      id
      name
    }
  }
}
    `) as unknown as TypedDocumentString<CreateAmrTaskGroupMutation, CreateAmrTaskGroupMutationVariables>;
export const UpdateAmrTaskGroupDocument = new TypedDocumentString(`
    mutation UpdateAmrTaskGroup($input: UpdateAmrTaskGroupInput!) {
  updateAmrTaskGroup(input: $input) {
    amrTaskGroup {
      id
      name
    }
  }
}
    `) as unknown as TypedDocumentString<UpdateAmrTaskGroupMutation, UpdateAmrTaskGroupMutationVariables>;
export const DeleteAmrTaskGroupDocument = new TypedDocumentString(`
    mutation DeleteAmrTaskGroup($id: ID!) {
  deleteAmrTaskGroup(input: {id: $id}) {
    id
  }
}
    `) as unknown as TypedDocumentString<DeleteAmrTaskGroupMutation, DeleteAmrTaskGroupMutationVariables>;
export const ApiTokensDocument = new TypedDocumentString(`
    query ApiTokens($first: Int, $after: String) {
  apiTokens(first: $first, after: $after) {
    nodes {
      id
      name
      role
      scopes
      createdAt
      expiresAt
      lastUsedAt
      revokedAt
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    `) as unknown as TypedDocumentString<ApiTokensQuery, ApiTokensQueryVariables>;
export const CreateApiTokenDocument = new TypedDocumentString(`
    mutation CreateApiToken($input: CreateApiTokenInput!) {
  createApiToken(input: $input) {
    apiToken {
      id
      name
      role
      expiresAt
    }
    secret
  }
}
    `) as unknown as TypedDocumentString<CreateApiTokenMutation, CreateApiTokenMutationVariables>;
export const RevokeApiTokenDocument = new TypedDocumentString(`
    mutation RevokeApiToken($input: DeleteInput!) {
  revokeApiToken(input: $input) {
    apiToken {
      id
      name
      revokedAt
    }
  }
}
    `) as unknown as TypedDocumentString<RevokeApiTokenMutation, RevokeApiTokenMutationVariables>;
export const CancelTaskRunDocument = new TypedDocumentString(`
    mutation CancelTaskRun($id: ID!) {
  cancelTaskRun(input: {id: $id}) {
    taskRun {
      ...RunProgress
      cancelRequestedAt
    }
  }
}
    fragment RunProgress on TaskRun {
  id
  state
  attempts
  scheduledFor
  notBefore
  startedAt
  finishedAt
  readingCount
  storedCount
  duplicateCount
  revisedCount
  rejectedCount
  errorCode
  errorMessage
  result
}`) as unknown as TypedDocumentString<CancelTaskRunMutation, CancelTaskRunMutationVariables>;
export const DeadLetterGroupsDocument = new TypedDocumentString(`
    query DeadLetterGroups($queue: String, $first: Int) {
  deadLetterGroups(queue: $queue, first: $first) {
    fingerprint
    reason
    count
    readings
    occurrences
    lastSeenAt
    newest {
      id
    }
  }
}
    `) as unknown as TypedDocumentString<DeadLetterGroupsQuery, DeadLetterGroupsQueryVariables>;
export const RedriveDeadLettersDocument = new TypedDocumentString(`
    mutation RedriveDeadLetters($input: RedriveDeadLettersInput!) {
  redriveDeadLetters(input: $input) {
    matched
    redriven
    underWay
    refused {
      id
      reason
    }
  }
}
    `) as unknown as TypedDocumentString<RedriveDeadLettersMutation, RedriveDeadLettersMutationVariables>;
export const DiscardDeadLettersDocument = new TypedDocumentString(`
    mutation DiscardDeadLetters($input: DiscardDeadLettersInput!) {
  discardDeadLetters(input: $input) {
    matched
    discarded
    refused {
      id
      reason
    }
  }
}
    `) as unknown as TypedDocumentString<DiscardDeadLettersMutation, DiscardDeadLettersMutationVariables>;
export const ImportMeterDevicesDocument = new TypedDocumentString(`
    mutation ImportMeterDevices($input: ImportMeterDevicesInput!) {
  importMeterDevices(input: $input) {
    created
    updated
    unchanged
    failed
    items {
      index
      id
      created
      errorCode
      errorMessage
      errorField
    }
  }
}
    `) as unknown as TypedDocumentString<ImportMeterDevicesMutation, ImportMeterDevicesMutationVariables>;
export const IngestionDocument = new TypedDocumentString(`
    query Ingestion {
  ingestion {
    backlog
    deadLetterBacklog
    strategy
    readingsPerSecond
    slowestStep
    lastError {
      step
      message
      at
      ingester
    }
    relayLagSeconds
    relayLagBatches
    ingesters {
      id
      host
      pid
      version
      state
      isWorking
      strategy
      readingsPerSecond
      steps {
        step
        batches
        readings
        errors
        inFlight
        p50Ms
        p95Ms
        totalMs
        shareOfTime
        lastError {
          message
          at
        }
      }
    }
  }
}
    `) as unknown as TypedDocumentString<IngestionQuery, IngestionQueryVariables>;
export const InvokeTaskDocument = new TypedDocumentString(`
    mutation InvokeTask($input: InvokeTaskInput!) {
  invokeTask(input: $input) {
    taskRun {
      ...RunProgress
    }
  }
}
    fragment RunProgress on TaskRun {
  id
  state
  attempts
  scheduledFor
  notBefore
  startedAt
  finishedAt
  readingCount
  storedCount
  duplicateCount
  revisedCount
  rejectedCount
  errorCode
  errorMessage
  result
}`) as unknown as TypedDocumentString<InvokeTaskMutation, InvokeTaskMutationVariables>;
export const MeterDevicesDocument = new TypedDocumentString(`
    query MeterDevices($filter: MeterDeviceFilter, $first: Int, $after: String) {
  meterDevices(filter: $filter, first: $first, after: $after) {
    totalCount
    nodes {
      id
      name
      serialNumber
      lifeCycle
      version
      lastReadingAt
      taskGroups {
        id
        name
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    `) as unknown as TypedDocumentString<MeterDevicesQuery, MeterDevicesQueryVariables>;
export const CreateMeterDeviceDocument = new TypedDocumentString(`
    mutation CreateMeterDevice($input: CreateMeterDeviceInput!) {
  createMeterDevice(input: $input) {
    meterDevice {
      id
      name
      version
    }
  }
}
    `) as unknown as TypedDocumentString<CreateMeterDeviceMutation, CreateMeterDeviceMutationVariables>;
export const UpdateMeterDeviceDocument = new TypedDocumentString(`
    mutation UpdateMeterDevice($input: UpdateMeterDeviceInput!) {
  updateMeterDevice(input: $input) {
    meterDevice {
      id
      name
      version
    }
  }
}
    `) as unknown as TypedDocumentString<UpdateMeterDeviceMutation, UpdateMeterDeviceMutationVariables>;
export const DeleteMeterDeviceDocument = new TypedDocumentString(`
    mutation DeleteMeterDevice($id: ID!) {
  deleteMeterDevice(input: {id: $id}) {
    id
  }
}
    `) as unknown as TypedDocumentString<DeleteMeterDeviceMutation, DeleteMeterDeviceMutationVariables>;
export const MeterExecutionTypesDocument = new TypedDocumentString(`
    query MeterExecutionTypes {
  meterExecutionTypes {
    name
    description
    calls {
      name
      description
      writesToMeter
      kwargsSchema
    }
  }
}
    `) as unknown as TypedDocumentString<MeterExecutionTypesQuery, MeterExecutionTypesQueryVariables>;
export const NetworkInterfacesDocument = new TypedDocumentString(`
    query NetworkInterfaces($first: Int, $after: String) {
  networkInterfaces(first: $first, after: $after) {
    totalCount
    nodes {
      id
      name
      kind
      host
      port
      isBusy
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    `) as unknown as TypedDocumentString<NetworkInterfacesQuery, NetworkInterfacesQueryVariables>;
export const CreateNetworkInterfaceDocument = new TypedDocumentString(`
    mutation CreateNetworkInterface($input: CreateNetworkInterfaceInput!) {
  createNetworkInterface(input: $input) {
    networkInterface {
      id
      name
    }
  }
}
    `) as unknown as TypedDocumentString<CreateNetworkInterfaceMutation, CreateNetworkInterfaceMutationVariables>;
export const UpdateNetworkInterfaceDocument = new TypedDocumentString(`
    mutation UpdateNetworkInterface($input: UpdateNetworkInterfaceInput!) {
  updateNetworkInterface(input: $input) {
    networkInterface {
      id
      name
      host
      port
    }
  }
}
    `) as unknown as TypedDocumentString<UpdateNetworkInterfaceMutation, UpdateNetworkInterfaceMutationVariables>;
export const DeleteNetworkInterfaceDocument = new TypedDocumentString(`
    mutation DeleteNetworkInterface($id: ID!) {
  deleteNetworkInterface(input: {id: $id}) {
    id
  }
}
    `) as unknown as TypedDocumentString<DeleteNetworkInterfaceMutation, DeleteNetworkInterfaceMutationVariables>;
export const CreateSegmentDocument = new TypedDocumentString(`
    mutation CreateSegment($input: CreateSegmentInput!) {
  createSegment(input: $input) {
    segment {
      id
      name
    }
  }
}
    `) as unknown as TypedDocumentString<CreateSegmentMutation, CreateSegmentMutationVariables>;
export const ReadingsDocument = new TypedDocumentString(`
    query Readings($meterDevice: ID!, $series: [String!], $from: DateTime!, $to: DateTime!, $first: Int, $after: String) {
  readings(
    meterDevice: $meterDevice
    series: $series
    from: $from
    to: $to
    first: $first
    after: $after
  ) {
    columns {
      register {
        series {
          name
          unit
        }
      }
      timestamps
      values
      qualities
    }
    next
  }
}
    `) as unknown as TypedDocumentString<ReadingsQuery, ReadingsQueryVariables>;
export const LatestReadingsDocument = new TypedDocumentString(`
    query LatestReadings($filter: MeterReadingFilter, $first: Int) {
  latestReadings(filter: $filter, first: $first) {
    meterDevice {
      id
      name
    }
    series
    unit
    timestamp
    value
    quality
  }
}
    `) as unknown as TypedDocumentString<LatestReadingsQuery, LatestReadingsQueryVariables>;
export const MeterReadingAddedDocument = new TypedDocumentString(`
    subscription MeterReadingAdded($filter: MeterReadingFilter, $after: Cursor) {
  meterReadingAdded(filter: $filter, after: $after) {
    cursor
    meterDevice {
      id
      name
    }
    series
    unit
    timestamp
    value
    quality
    origin
    receivedAt
  }
}
    `) as unknown as TypedDocumentString<MeterReadingAddedSubscription, MeterReadingAddedSubscriptionVariables>;
export const SeriesListDocument = new TypedDocumentString(`
    query SeriesList($first: Int, $after: String) {
  seriesList(first: $first, after: $after) {
    nodes {
      id
      name
      unit
      kind
      multiplier
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    `) as unknown as TypedDocumentString<SeriesListQuery, SeriesListQueryVariables>;
export const UpsertSeriesDocument = new TypedDocumentString(`
    mutation UpsertSeries($input: UpsertSeriesInput!) {
  upsertSeries(input: $input) {
    series {
      id
      name
      unit
      kind
    }
  }
}
    `) as unknown as TypedDocumentString<UpsertSeriesMutation, UpsertSeriesMutationVariables>;
export const SubmitReadingsDocument = new TypedDocumentString(`
    mutation SubmitReadings($input: SubmitReadingsInput!) {
  submitReadings(input: $input) {
    accepted
  }
}
    `) as unknown as TypedDocumentString<SubmitReadingsMutation, SubmitReadingsMutationVariables>;
export const PlanAmrTaskDocument = new TypedDocumentString(`
    query PlanAmrTask($input: PlanAmrTaskInput!) {
  planAmrTask(input: $input) {
    metersReached
    metersLeftOut {
      retired
      withoutInterface
      credentialsRejected
    }
    sessionsPerSlot
    secondsPerSession {
      expected
      p95
      basis
      sampleSize
    }
    pollerCapacity
    expectedDurationSeconds
    availableSeconds
    parallelSessionsNeeded
    hottestInterface {
      networkInterface {
        id
        name
      }
      meters
      seconds
    }
    hottestSegment {
      segment {
        id
        name
      }
      meters
      seconds
    }
    finishesBeforeNextSlot
    advice
  }
}
    `) as unknown as TypedDocumentString<PlanAmrTaskQuery, PlanAmrTaskQueryVariables>;
export const TaskRunSummaryDocument = new TypedDocumentString(`
    query TaskRunSummary($filter: TaskRunSummaryFilter!) {
  taskRunSummary(filter: $filter) {
    ...RunCounts
  }
}
    fragment RunCounts on TaskRunSummary {
  runs
  pending
  dispatched
  running
  succeeded
  failed
  expired
  cancelled
  successRate
  errors {
    code
    count
  }
}`) as unknown as TypedDocumentString<TaskRunSummaryQuery, TaskRunSummaryQueryVariables>;
export const TaskRunDocument = new TypedDocumentString(`
    query TaskRun($id: ID!) {
  taskRun(id: $id) {
    ...RunProgress
  }
}
    fragment RunProgress on TaskRun {
  id
  state
  attempts
  scheduledFor
  notBefore
  startedAt
  finishedAt
  readingCount
  storedCount
  duplicateCount
  revisedCount
  rejectedCount
  errorCode
  errorMessage
  result
}`) as unknown as TypedDocumentString<TaskRunQuery, TaskRunQueryVariables>;
export const TaskRunsDocument = new TypedDocumentString(`
    query TaskRuns($filter: TaskRunFilter, $first: Int, $after: String) {
  taskRuns(filter: $filter, first: $first, after: $after) {
    totalCount
    nodes {
      ...RunProgress
      meterDevice {
        id
        name
      }
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    fragment RunProgress on TaskRun {
  id
  state
  attempts
  scheduledFor
  notBefore
  startedAt
  finishedAt
  readingCount
  storedCount
  duplicateCount
  revisedCount
  rejectedCount
  errorCode
  errorMessage
  result
}`) as unknown as TypedDocumentString<TaskRunsQuery, TaskRunsQueryVariables>;
export const TaskRunUpdatedDocument = new TypedDocumentString(`
    subscription TaskRunUpdated($filter: TaskRunFilter) {
  taskRunUpdated(filter: $filter) {
    ...RunProgress
  }
}
    fragment RunProgress on TaskRun {
  id
  state
  attempts
  scheduledFor
  notBefore
  startedAt
  finishedAt
  readingCount
  storedCount
  duplicateCount
  revisedCount
  rejectedCount
  errorCode
  errorMessage
  result
}`) as unknown as TypedDocumentString<TaskRunUpdatedSubscription, TaskRunUpdatedSubscriptionVariables>;
export const WorkersDocument = new TypedDocumentString(`
    query Workers {
  workers {
    id
    kind
    host
    pid
    version
    queues
    maxSessions
    openSessions
    startedAt
    lastSeenAt
    state
  }
}
    `) as unknown as TypedDocumentString<WorkersQuery, WorkersQueryVariables>;