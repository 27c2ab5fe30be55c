import { ArgsType, Field, ID, InputType, Int } from 'type-graphql';
import { DeadLetterState } from '../../src/domain/enums.js';
import { DateTime } from '../scalars.js';

@InputType({ description: 'Dead letters that meet all conditions given.' })
export class DeadLetterFilter {
  @Field(() => [ID], { nullable: true, description: 'Letters with one of these ids.' })
  ids?: string[] | null;

  @Field(() => String, { nullable: true, description: 'Letters from this queue, such as readings.new.' })
  queue?: string | null;

  @Field(() => String, { nullable: true, description: 'Letters that failed in this way.' })
  fingerprint?: string | null;

  @Field(() => [DeadLetterState], { nullable: true, description: 'Letters in one of these states.' })
  states?: DeadLetterState[] | null;

  @Field(() => String, { nullable: true, description: 'Part of the reason, in any case.' })
  reasonContains?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'Letters that failed last at this time or later.' })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Letters that failed last before this time.' })
  to?: Date | null;
}

@ArgsType()
export class DeadLetterGroupArgs {
  @Field(() => String, { nullable: true, description: 'Letters from this queue; from all when absent.' })
  queue?: string | null;

  @Field(() => [DeadLetterState], { nullable: true, description: 'Letters in one of these states. Default DEAD.' })
  states?: DeadLetterState[] | null;

  @Field(() => Int, { nullable: true, description: 'Most groups to return: 1 to 500. Default 50.' })
  first?: number | null;
}

/** Not part of the schema itself. */
@InputType()
class DeadLetterSelectionInput {
  @Field(() => [ID], { nullable: true, description: 'These letters, at most 10,000. Either this or fingerprint.' })
  ids?: string[] | null;

  @Field(() => String, {
    nullable: true,
    description: 'DEAD letters that failed in this way, at most 10,000 in one call, those redriven least first.',
  })
  fingerprint?: string | null;

  @Field(() => Boolean, { nullable: true, description: 'Only tells what would be done. Default false.' })
  dryRun?: boolean | null;
}

@InputType({ description: 'Dead letters to put back into their queues.' })
export class RedriveDeadLettersInput extends DeadLetterSelectionInput {
  @Field(() => Int, { nullable: true, description: 'Letters put back in a second, 1 to 5000. Default 200.' })
  ratePerSecond?: number | null;

  @Field(() => Boolean, {
    nullable: true,
    description: 'Letters too that were redriven three times and came back. Default false.',
  })
  force?: boolean | null;
}

@InputType({ description: 'Dead letters to give up for good.' })
export class DiscardDeadLettersInput extends DeadLetterSelectionInput {
  @Field(() => String, { description: 'Why nobody needs them, 1 to 150 characters: for the audit.' })
  reason!: string;
}
