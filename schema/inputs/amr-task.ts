import { Field, ID, InputType, Int } from 'type-graphql';
import { AmrSchedule, CatchUpPolicy } from '../../src/domain/enums.js';
import { JSONObject } from '../scalars.js';

/** What may be left out when creating as well as when updating. Not part of the schema itself. */
@InputType()
class AmrTaskOptions {
  @Field(() => String, { nullable: true, description: 'Free text.' })
  description?: string;

  @Field(() => Boolean, { nullable: true, description: 'Whether its slots are run. Default true.' })
  isActive?: boolean;

  @Field(() => Int, {
    nullable: true,
    description: "Seconds from a slot to the earliest start, 0 to the period's length. Default 0.",
  })
  runOffsetSeconds?: number;

  @Field(() => JSONObject, {
    nullable: true,
    description:
      'Arguments of the call, e.g. {"offset_seconds": 3600, "archive_number": 3, "control_position": 3}; see meterExecutionTypes. Default {}.',
  })
  taskKwargs?: Record<string, unknown>;

  @Field(() => CatchUpPolicy, { nullable: true, description: 'What happens to missed slots. Default LATEST.' })
  catchUp?: CatchUpPolicy;

  @Field(() => Int, {
    nullable: true,
    description:
      'Seconds after the earliest start after which a run is EXPIRED. Default null: one period of the schedule.',
  })
  deadlineSeconds?: number | null;

  @Field(() => Int, { nullable: true, description: 'Higher goes first, -1000 to 1000. Default 0.' })
  priority?: number;
}

@InputType({ description: 'A task to create.' })
export class CreateAmrTaskInput extends AmrTaskOptions {
  @Field(() => String, { description: 'Unique in the organization, 1 to 150 characters.' })
  name!: string;

  @Field(() => AmrSchedule, { description: 'When it is due.' })
  schedule!: AmrSchedule;

  @Field(() => String, { description: 'e.g. generic_lis200; see meterExecutionTypes.' })
  meterExecutionType!: string;

  @Field(() => String, { description: 'e.g. read_archive_by_offset_seconds; see meterExecutionTypes.' })
  taskCall!: string;
}

@InputType({ description: 'Changes to a task; what is left out stays.' })
export class UpdateAmrTaskInput extends AmrTaskOptions {
  @Field(() => ID, { description: 'The task to change.' })
  id!: string;

  @Field(() => String, { nullable: true, description: 'Unique in the organization, 1 to 150 characters.' })
  name?: string;

  @Field(() => AmrSchedule, { nullable: true, description: 'When it is due. Slots before the change are not run.' })
  schedule?: AmrSchedule;

  @Field(() => String, { nullable: true, description: 'e.g. generic_lis200; see meterExecutionTypes.' })
  meterExecutionType?: string;

  @Field(() => String, { nullable: true, description: 'e.g. read_archive_by_offset_seconds; see meterExecutionTypes.' })
  taskCall?: string;

  @Field(() => Int, { nullable: true, description: 'The version you read: CONFLICT when the task has changed since.' })
  expectedVersion?: number | null;
}
