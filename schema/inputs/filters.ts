import { Field, ID, InputType } from 'type-graphql';
import { AmrSchedule, MeterLifeCycle, ReadingOrigin, RunOrigin, TaskRunState } from '../../src/domain/enums.js';
import { DateTime } from '../scalars.js';

/** All conditions given must hold; an empty filter matches everything. */

@InputType({ description: 'Tasks that meet all conditions given.' })
export class AmrTaskFilter {
  @Field(() => String, { nullable: true, description: 'The whole name.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'Part of the name, in any case.' })
  nameContains?: string | null;

  @Field(() => Boolean, { nullable: true, description: 'Active tasks, or inactive ones.' })
  isActive?: boolean | null;

  @Field(() => AmrSchedule, { nullable: true, description: 'Tasks due so.' })
  schedule?: AmrSchedule | null;

  @Field(() => String, { nullable: true, description: 'Tasks of this execution type.' })
  meterExecutionType?: string | null;
}

@InputType({ description: 'Meters that meet all conditions given.' })
export class MeterDeviceFilter {
  @Field(() => [ID], { nullable: true, description: 'Meters with one of these ids.' })
  ids?: string[] | null;

  @Field(() => String, { nullable: true, description: 'The whole name.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'Part of the name, in any case.' })
  nameContains?: string | null;

  @Field(() => String, { nullable: true, description: 'The whole serial number.' })
  serialNumber?: string | null;

  @Field(() => String, { nullable: true, description: "The id in the utility's own system." })
  externalReference?: string | null;

  @Field(() => ID, { nullable: true, description: 'Meters in this task group.' })
  taskGroup?: string | null;

  @Field(() => MeterLifeCycle, { nullable: true, description: 'Meters at this point of their service life.' })
  lifeCycle?: MeterLifeCycle | null;

  @Field(() => Boolean, {
    nullable: true,
    description: 'Meters that refused their credentials and are left alone since, or all others.',
  })
  credentialsRejected?: boolean | null;
}

@InputType({ description: 'Runs that meet all conditions given.' })
export class TaskRunFilter {
  @Field(() => ID, { nullable: true, description: 'Runs on this meter.' })
  meterDevice?: string | null;

  @Field(() => ID, { nullable: true, description: 'Runs of this task.' })
  amrTask?: string | null;

  @Field(() => [TaskRunState], { nullable: true, description: 'Runs in one of these states.' })
  states?: TaskRunState[] | null;

  @Field(() => RunOrigin, { nullable: true, description: 'Runs made so.' })
  origin?: RunOrigin | null;

  @Field(() => String, {
    nullable: true,
    description: 'Runs that ended FAILED, EXPIRED or CANCELLED with this error code, e.g. TIMEOUT.',
  })
  errorCode?: string | null;

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
