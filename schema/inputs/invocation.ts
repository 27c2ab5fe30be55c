import { Field, ID, InputType, Int } from 'type-graphql';
import { JSONObject } from '../scalars.js';

@InputType({ description: 'One call on one meter: the same arguments as a task, but no AmrTask is saved.' })
export class InvokeTaskInput {
  @Field(() => ID, { description: 'The meter to carry it out on.' })
  meterDevice!: string;

  @Field(() => String, { description: 'e.g. generic_lis200; see meterExecutionTypes.' })
  meterExecutionType!: string;

  @Field(() => String, { description: 'e.g. read_archive_by_offset_seconds; see meterExecutionTypes.' })
  taskCall!: string;

  @Field(() => JSONObject, {
    nullable: true,
    description:
      'Arguments of the call, e.g. {"offset_seconds": 3600, "archive_number": 3, "control_position": 3}; see meterExecutionTypes. Default {}.',
  })
  taskKwargs?: Record<string, unknown>;

  @Field(() => Int, {
    nullable: true,
    description: 'Seconds from now to the earliest start, up to 365 days. Default 0.',
  })
  runOffsetSeconds?: number;

  @Field(() => Int, {
    nullable: true,
    description: 'Seconds after the earliest start after which the run is EXPIRED. Default 600.',
  })
  deadlineSeconds?: number | null;

  @Field(() => String, {
    nullable: true,
    description:
      "The same key again returns the first call's run; CONFLICT when meter, call or kwargs differ. E.g. a UUID of your own.",
  })
  idempotencyKey?: string | null;
}

@InputType({ description: 'A saved task to carry out on one meter now, whatever its schedule and offset.' })
export class InvokeAmrTaskInput {
  @Field(() => ID, { description: 'The task; it may be inactive.' })
  amrTask!: string;

  @Field(() => ID, { description: 'The meter; it need not have the task.' })
  meterDevice!: string;

  @Field(() => String, {
    nullable: true,
    description:
      "The same key again returns the first call's run; CONFLICT when task or meter differ. E.g. a UUID of your own.",
  })
  idempotencyKey?: string | null;
}

@InputType({ description: 'A group whose active tasks are carried out now, whatever their schedules and offsets.' })
export class InvokeAmrTaskGroupInput {
  @Field(() => ID, {
    description: 'The group. Its inactive tasks are left out; invokeAmrTask carries out one of them.',
  })
  amrTaskGroup!: string;

  @Field(() => [ID], {
    nullable: true,
    description: 'The meters, 1 to 10,000; they need not be in the group. All meters of the group when absent.',
  })
  meterDevices?: string[] | null;

  @Field(() => String, {
    nullable: true,
    description:
      "The same key again returns the first call's runs; CONFLICT when group or meters differ. E.g. a UUID of your own.",
  })
  idempotencyKey?: string | null;
}
