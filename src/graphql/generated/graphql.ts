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
  /** Active tasks, or inactive ones. */
  isActive?: boolean | null | undefined;
  /** Tasks of this execution type. */
  meterExecutionType?: string | null | undefined;
  /** The whole name. */
  name?: string | null | undefined;
  /** Part of the name, in any case. */
  nameContains?: string | null | undefined;
  /** Tasks due so. */
  schedule?: AmrSchedule | null | undefined;
};

/** What happens to slots missed while no scheduler ran. */
export type CatchUpPolicy =
  /** Each is run. */
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
  /** Arguments of the call; see meterExecutionTypes. Default {}. */
  taskKwargs?: Record<string, unknown> | null | undefined;
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
  /** All tasks that run for this meter only. */
  meterTasks?: Array<string> | null | undefined;
  /** The maker's name of the device type. */
  model?: string | null | undefined;
  /** Unique in the organization, 1 to 150 characters. */
  name: string;
  /** How it is reached. */
  networkInterface?: string | null | undefined;
  /** Address on a shared line, in the protocol's own form. */
  protocolAddress?: string | null | undefined;
  /** Printed on the device by its maker; checked in each session when set. */
  serialNumber?: string | null | undefined;
  /** All task groups whose tasks run for this meter. */
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

/** One call on one meter: the same arguments as a task, but no AmrTask is saved. */
export type InvokeTaskInput = {
  /** Seconds after the earliest start after which the run is EXPIRED. Default 600. */
  deadlineSeconds?: number | null | undefined;
  /** The same key again returns the first call's run; CONFLICT when meter, call or kwargs differ. */
  idempotencyKey?: string | null | undefined;
  /** The meter to carry it out on. */
  meterDevice: string;
  /** e.g. generic_lis200; see meterExecutionTypes. */
  meterExecutionType: string;
  /** Seconds from now to the earliest start, up to 365 days. Default 0. */
  runOffsetSeconds?: number | null | undefined;
  /** e.g. read_archive_by_offset_seconds; see meterExecutionTypes. */
  taskCall: string;
  /** Arguments of the call; see meterExecutionTypes. Default {}. */
  taskKwargs?: Record<string, unknown> | null | undefined;
};

/** Meters that meet all conditions given. */
export type MeterDeviceFilter = {
  /** The id in the utility's own system. */
  externalReference?: string | null | undefined;
  /** Meters with one of these ids. */
  ids?: Array<string> | null | undefined;
  /** Meters at this point of their service life. */
  lifeCycle?: MeterLifeCycle | null | undefined;
  /** The whole name. */
  name?: string | null | undefined;
  /** Part of the name, in any case. */
  nameContains?: string | null | undefined;
  /** The whole serial number. */
  serialNumber?: string | null | undefined;
  /** Meters in this task group. */
  taskGroup?: string | null | undefined;
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

/** Runs that meet all conditions given. */
export type TaskRunFilter = {
  /** Runs of this task. */
  amrTask?: string | null | undefined;
  /** Runs scheduled for this time or later. */
  from?: string | null | undefined;
  /** Runs on this meter. */
  meterDevice?: string | null | undefined;
  /** Runs made so. */
  origin?: RunOrigin | null | undefined;
  /** Runs in one of these states. */
  states?: Array<TaskRunState> | null | undefined;
  /** Runs scheduled for before this time. */
  to?: string | null | undefined;
};

/** Where a run stands. The last four are final. */
export type TaskRunState =
  /** Withdrawn before it was carried out. */
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

/** Changes to a task group; what is left out stays. */
export type UpdateAmrTaskGroupInput = {
  /** Free text. */
  description?: string | null | undefined;
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
  /** Arguments of the call; see meterExecutionTypes. Default {}. */
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
  /** All tasks that run for this meter only. */
  meterTasks?: Array<string> | null | undefined;
  /** The maker's name of the device type. */
  model?: string | null | undefined;
  /** Unique in the organization, 1 to 150 characters. */
  name?: string | null | undefined;
  /** How it is reached. */
  networkInterface?: string | null | undefined;
  /** Address on a shared line, in the protocol's own form. */
  protocolAddress?: string | null | undefined;
  /** Printed on the device by its maker; checked in each session when set. */
  serialNumber?: string | null | undefined;
  /** All task groups whose tasks run for this meter. */
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
  /** What the values mean. Default UNKNOWN. */
  kind?: SeriesKind | null | undefined;
  /** Factor from a stored value to the unit, above 0. Default "1". */
  multiplier?: string | null | undefined;
  /** OBIS code preferred, 1 to 150 characters. */
  name: string;
  /** Unit of the values, e.g. m3. */
  unit?: string | null | undefined;
};

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