import { Field, ID, InputType, Int } from 'type-graphql';
import { AmrSchedule } from '../../src/domain/enums.js';
import { JSONObject } from '../scalars.js';

@InputType({
  description:
    'A task to plan: a new one, or a saved one with changes. What is left out is taken from amrTask, where that is given.',
})
export class PlanAmrTaskInput {
  @Field(() => ID, { nullable: true, description: 'A saved task.' })
  amrTask?: string | null;

  @Field(() => AmrSchedule, { nullable: true, description: 'When it is due. Needed without amrTask.' })
  schedule?: AmrSchedule;

  @Field(() => Int, {
    nullable: true,
    description: "Seconds from a slot to the earliest start, 0 to the period's length. Default 0.",
  })
  runOffsetSeconds?: number;

  @Field(() => String, { nullable: true, description: 'e.g. generic_lis200. Needed without amrTask.' })
  meterExecutionType?: string;

  @Field(() => String, {
    nullable: true,
    description: 'e.g. read_archive_by_offset_seconds. Needed without amrTask.',
  })
  taskCall?: string;

  @Field(() => JSONObject, {
    nullable: true,
    description:
      'Arguments of the call, e.g. {"offset_seconds": 3600, "archive_number": 3, "control_position": 3}. Default {}.',
  })
  taskKwargs?: Record<string, unknown>;

  @Field(() => Int, {
    nullable: true,
    description: 'Seconds after the earliest start after which a run is EXPIRED. Default: one period of the schedule.',
  })
  deadlineSeconds?: number;

  @Field(() => [ID], { nullable: true, description: 'Groups that the task is in, in place of those of amrTask.' })
  amrTaskGroups?: string[] | null;

  @Field(() => [ID], {
    nullable: true,
    description: 'Meters that run the task on their own, at most 10,000, in place of those of amrTask.',
  })
  meterDevices?: string[] | null;
}
