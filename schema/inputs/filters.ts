import { Field, ID, InputType } from 'type-graphql';
import {
  AmrSchedule,
  MeterLifeCycle,
  NetworkInterfaceKind,
  ReadingOrigin,
  RunOrigin,
  SeriesKind,
  TaskRunState,
} from '../../src/domain/enums.js';
import { DateTime } from '../scalars.js';

/** All conditions given must hold; an empty filter matches everything. */

@InputType({ description: 'Tasks that meet all conditions given.' })
export class AmrTaskFilter {
  @Field(() => [ID], { nullable: true, description: 'Tasks with one of these ids.' })
  ids?: string[] | null;

  @Field(() => String, { nullable: true, description: 'The whole name.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'Part of the name, in any case.' })
  nameContains?: string | null;

  @Field(() => String, { nullable: true, description: 'Beginning of the name, in any case, e.g. EK280-.' })
  nameStartsWith?: string | null;

  @Field(() => Boolean, { nullable: true, description: 'Active tasks, or inactive ones.' })
  isActive?: boolean | null;

  @Field(() => AmrSchedule, { nullable: true, description: 'Tasks due so.' })
  schedule?: AmrSchedule | null;

  @Field(() => String, { nullable: true, description: 'Tasks of this execution type, e.g. generic_lis200.' })
  meterExecutionType?: string | null;

  @Field(() => String, { nullable: true, description: 'Tasks of this call, e.g. read_archive_by_offset_seconds.' })
  taskCall?: string | null;

  @Field(() => ID, { nullable: true, description: 'Tasks in this group.' })
  amrTaskGroup?: string | null;

  @Field(() => ID, { nullable: true, description: 'Tasks that run for this meter, through a group or for it only.' })
  meterDevice?: string | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Tasks created or changed at this time or later, e.g. 2026-01-31T09:00:00Z.',
  })
  updatedSince?: Date | null;
}

@InputType({ description: 'Task groups that meet all conditions given.' })
export class AmrTaskGroupFilter {
  @Field(() => [ID], { nullable: true, description: 'Groups with one of these ids.' })
  ids?: string[] | null;

  @Field(() => String, { nullable: true, description: 'The whole name.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'Part of the name, in any case.' })
  nameContains?: string | null;

  @Field(() => String, { nullable: true, description: 'Beginning of the name, in any case, e.g. EK280-.' })
  nameStartsWith?: string | null;

  @Field(() => ID, { nullable: true, description: 'Groups with this task.' })
  amrTask?: string | null;

  @Field(() => ID, { nullable: true, description: 'Groups that this meter is in.' })
  meterDevice?: string | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Groups created or changed at this time or later, e.g. 2026-01-31T09:00:00Z.',
  })
  updatedSince?: Date | null;
}

@InputType({ description: 'Meters that meet all conditions given.' })
export class MeterDeviceFilter {
  @Field(() => [ID], { nullable: true, description: 'Meters with one of these ids.' })
  ids?: string[] | null;

  @Field(() => String, { nullable: true, description: 'The whole name.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'Part of the name, in any case.' })
  nameContains?: string | null;

  @Field(() => String, { nullable: true, description: 'Beginning of the name, in any case, e.g. EK280-.' })
  nameStartsWith?: string | null;

  @Field(() => String, { nullable: true, description: 'The whole serial number.' })
  serialNumber?: string | null;

  @Field(() => [String], { nullable: true, description: 'One of these serial numbers.' })
  serialNumbers?: string[] | null;

  @Field(() => String, { nullable: true, description: "The id in the utility's own system." })
  externalReference?: string | null;

  @Field(() => [String], { nullable: true, description: "One of these ids in the utility's own system." })
  externalReferences?: string[] | null;

  @Field(() => String, { nullable: true, description: 'The whole name of the maker.' })
  manufacturer?: string | null;

  @Field(() => String, { nullable: true, description: "The maker's whole name of the device type." })
  model?: string | null;

  @Field(() => ID, { nullable: true, description: 'Meters in this task group.' })
  taskGroup?: string | null;

  @Field(() => [ID], { nullable: true, description: 'Meters in one of these task groups.' })
  taskGroups?: string[] | null;

  @Field(() => ID, { nullable: true, description: 'Meters that this task runs for, through a group or on its own.' })
  amrTask?: string | null;

  @Field(() => MeterLifeCycle, { nullable: true, description: 'Meters at this point of their service life.' })
  lifeCycle?: MeterLifeCycle | null;

  @Field(() => [MeterLifeCycle], {
    nullable: true,
    description: 'Meters at one of these points of their service life.',
  })
  lifeCycles?: MeterLifeCycle[] | null;

  @Field(() => ID, { nullable: true, description: 'Meters reached over this interface.' })
  networkInterface?: string | null;

  @Field(() => Boolean, { nullable: true, description: 'Meters with an interface, or those without.' })
  hasNetworkInterface?: boolean | null;

  @Field(() => ID, { nullable: true, description: 'Meters whose interface is in this segment.' })
  segment?: string | null;

  @Field(() => ID, { nullable: true, description: 'Meters that are at this metering point now.' })
  meteringPoint?: string | null;

  @Field(() => Boolean, {
    nullable: true,
    description: 'Meters that are at a metering point now, or those that are at none.',
  })
  isInstalled?: boolean | null;

  @Field(() => Boolean, { nullable: true, description: 'Meters with credentials stored, or those without.' })
  hasCredentials?: boolean | null;

  @Field(() => Boolean, {
    nullable: true,
    description: 'Meters that refused their credentials and are left alone since, or all others.',
  })
  credentialsRejected?: boolean | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Meters with a reading measured at this time or later, e.g. 2026-01-31T09:00:00Z.',
  })
  hasReadingsSince?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Meters without one: silent since this time, or never read.' })
  hasNoReadingsSince?: Date | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Meters created or changed at this time or later, e.g. 2026-01-31T09:00:00Z.',
  })
  updatedSince?: Date | null;
}

@InputType({ description: 'Network interfaces that meet all conditions given.' })
export class NetworkInterfaceFilter {
  @Field(() => [ID], { nullable: true, description: 'Interfaces with one of these ids.' })
  ids?: string[] | null;

  @Field(() => String, { nullable: true, description: 'The whole name.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'Part of the name, in any case.' })
  nameContains?: string | null;

  @Field(() => String, { nullable: true, description: 'Beginning of the name, in any case, e.g. EK280-.' })
  nameStartsWith?: string | null;

  @Field(() => NetworkInterfaceKind, { nullable: true, description: 'Interfaces of this kind.' })
  kind?: NetworkInterfaceKind | null;

  @Field(() => String, { nullable: true, description: 'The whole host name or address.' })
  host?: string | null;

  @Field(() => ID, { nullable: true, description: 'Interfaces in this segment.' })
  segment?: string | null;

  @Field(() => Boolean, { nullable: true, description: 'Interfaces with a session open now, or all others.' })
  isBusy?: boolean | null;

  @Field(() => Boolean, {
    nullable: true,
    description: 'Interfaces whose scheduled sessions wait, as the last ones did not reach it, or all others.',
  })
  isHeld?: boolean | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Interfaces created or changed at this time or later, e.g. 2026-01-31T09:00:00Z.',
  })
  updatedSince?: Date | null;
}

@InputType({ description: 'Segments that meet all conditions given.' })
export class SegmentFilter {
  @Field(() => [ID], { nullable: true, description: 'Segments with one of these ids.' })
  ids?: string[] | null;

  @Field(() => String, { nullable: true, description: 'The whole name.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'Part of the name, in any case.' })
  nameContains?: string | null;

  @Field(() => String, { nullable: true, description: 'Beginning of the name, in any case, e.g. EK280-.' })
  nameStartsWith?: string | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Segments created or changed at this time or later, e.g. 2026-01-31T09:00:00Z.',
  })
  updatedSince?: Date | null;
}

@InputType({ description: 'Series that meet all conditions given.' })
export class SeriesFilter {
  @Field(() => [ID], { nullable: true, description: 'Series with one of these ids.' })
  ids?: string[] | null;

  @Field(() => String, { nullable: true, description: 'The whole name, e.g. 7-0:13.26.0*101.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'Part of the name, in any case.' })
  nameContains?: string | null;

  @Field(() => String, { nullable: true, description: 'Beginning of the name, in any case, e.g. EK280-.' })
  nameStartsWith?: string | null;

  @Field(() => [SeriesKind], { nullable: true, description: 'Series of one of these kinds.' })
  kinds?: SeriesKind[] | null;

  @Field(() => String, { nullable: true, description: 'Series in this unit, e.g. m3.' })
  unit?: string | null;

  @Field(() => ID, { nullable: true, description: 'Series that this meter has readings of.' })
  meterDevice?: string | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Series created or changed at this time or later, e.g. 2026-01-31T09:00:00Z.',
  })
  updatedSince?: Date | null;
}

@InputType({ description: 'Runs that meet all conditions given.' })
export class TaskRunFilter {
  @Field(() => [ID], { nullable: true, description: 'Runs with one of these ids.' })
  ids?: string[] | null;

  @Field(() => ID, { nullable: true, description: 'Runs on this meter.' })
  meterDevice?: string | null;

  @Field(() => [ID], { nullable: true, description: 'Runs on one of these meters.' })
  meterDevices?: string[] | null;

  @Field(() => ID, { nullable: true, description: 'Runs of this task.' })
  amrTask?: string | null;

  @Field(() => [ID], { nullable: true, description: 'Runs of one of these tasks.' })
  amrTasks?: string[] | null;

  @Field(() => ID, {
    nullable: true,
    description: 'Runs of the tasks of this group on meters of this group. Lists only.',
  })
  amrTaskGroup?: string | null;

  @Field(() => ID, { nullable: true, description: 'Runs on meters reached over this interface. Lists only.' })
  networkInterface?: string | null;

  @Field(() => ID, { nullable: true, description: 'Runs on meters whose interface is in this segment. Lists only.' })
  segment?: string | null;

  @Field(() => String, { nullable: true, description: 'Runs of this execution type, e.g. generic_lis200.' })
  meterExecutionType?: string | null;

  @Field(() => String, { nullable: true, description: 'Runs of this call, e.g. set_time.' })
  taskCall?: string | null;

  @Field(() => [TaskRunState], { nullable: true, description: 'Runs in one of these states.' })
  states?: TaskRunState[] | null;

  @Field(() => RunOrigin, { nullable: true, description: 'Runs made so.' })
  origin?: RunOrigin | null;

  @Field(() => String, {
    nullable: true,
    description: 'Runs that ended FAILED, EXPIRED or CANCELLED with this error code, e.g. TIMEOUT.',
  })
  errorCode?: string | null;

  @Field(() => [String], { nullable: true, description: 'Runs that ended so with one of these error codes.' })
  errorCodes?: string[] | null;

  @Field(() => DateTime, { nullable: true, description: 'Runs that ended at this time or later.' })
  finishedFrom?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Runs that ended before this time.' })
  finishedTo?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Runs scheduled for this time or later.' })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Runs scheduled for before this time.' })
  to?: Date | null;
}

@InputType({ description: 'Scheduled runs of the slots of a period that meet all conditions given.' })
export class TaskRunSummaryFilter {
  @Field(() => ID, { nullable: true, description: 'Runs of this task.' })
  amrTask?: string | null;

  @Field(() => ID, { nullable: true, description: 'Runs of the tasks of this group on meters of this group.' })
  amrTaskGroup?: string | null;

  @Field(() => DateTime, { description: 'Slots from this time on.' })
  from!: Date;

  @Field(() => DateTime, { description: 'Slots before this time; at most 400 days after from.' })
  to!: Date;
}

@InputType({ description: 'Readings that meet all conditions given.' })
export class MeterReadingFilter {
  @Field(() => [ID], { nullable: true, description: 'Readings of these meters.' })
  meterDevices?: string[] | null;

  @Field(() => [ID], { nullable: true, description: 'Readings of meters in one of these task groups.' })
  taskGroups?: string[] | null;

  @Field(() => [String], { nullable: true, description: 'Readings of these series, by name.' })
  series?: string[] | null;

  @Field(() => [ReadingOrigin], { nullable: true, description: 'Readings that came so.' })
  origins?: ReadingOrigin[] | null;
}
