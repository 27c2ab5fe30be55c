import { Field, ID, Int, ObjectType } from 'type-graphql';
import { DeadLetterState } from '../src/domain/enums.js';
import { connectionOf } from './connection.js';
import { NodeType } from './node.js';
import { BigIntScalar, Bytes, DateTime, JSONObject } from './scalars.js';

@ObjectType('DeadLetter', {
  description: 'A message, or one reading of a message, that could not be processed. Secrets in it are hidden.',
  implements: NodeType,
  simpleResolvers: true,
})
export class DeadLetterType extends NodeType {
  @Field(() => String, { description: 'The queue it came from, and goes back to.' })
  queue!: string;

  @Field(() => String, { description: 'What was wrong and where, such as readings.3.timestamp: carries no offset.' })
  reason!: string;

  @Field(() => String, { description: 'The same for failures of one kind: queue and reason without what varies.' })
  fingerprint!: string;

  @Field(() => DeadLetterState, { description: 'What became of it.' })
  state!: DeadLetterState;

  @Field(() => JSONObject, { nullable: true, description: 'The body where it is a JSON object below 256 KB.' })
  message!: Record<string, unknown> | null;

  @Field(() => Bytes, { description: 'The body; of one above 4 MB the first 64 KB. At most 16 MB in one request.' })
  body!: Buffer;

  @Field(() => Int, { description: 'Bytes of the message as it came.' })
  size!: number;

  @Field(() => Int, { description: 'Times the same message failed.' })
  occurrences!: number;

  @Field(() => Int, {
    description: 'Readings that count as dead-lettered for it, over all occurrences; 0 once closed.',
  })
  readingCount!: number;

  @Field(() => Int, { description: 'Times it was put back into its queue.' })
  redrives!: number;

  @Field(() => DateTime, { description: 'When it failed first.' })
  firstSeenAt!: Date;

  @Field(() => DateTime, { description: 'When it failed last.' })
  lastSeenAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it was last put back into its queue.' })
  redrivenAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was resolved or discarded; removed 30 days later.' })
  closedAt!: Date | null;
}

export const DeadLetterConnection = connectionOf('DeadLetter', () => DeadLetterType);

@ObjectType('DeadLetterGroup', { description: 'Dead letters that failed in the same way.', simpleResolvers: true })
export class DeadLetterGroupType {
  @Field(() => String, { description: 'The queue they came from.' })
  queue!: string;

  @Field(() => String, { description: 'What they have in common: pass it to redrive or discard all of them.' })
  fingerprint!: string;

  @Field(() => String, { description: 'The reason of the newest one.' })
  reason!: string;

  @Field(() => Int, { description: 'How many there are.' })
  count!: number;

  @Field(() => BigIntScalar, { description: 'Readings that count as dead-lettered for them.' })
  readings!: string;

  @Field(() => BigIntScalar, { description: 'Times they failed, together.' })
  occurrences!: string;

  @Field(() => DateTime, { description: 'When the first of them failed first.' })
  firstSeenAt!: Date;

  @Field(() => DateTime, { description: 'When one of them failed last.' })
  lastSeenAt!: Date;

  @Field(() => DeadLetterType, { nullable: true, description: 'The newest one; null when it was removed just now.' })
  newest!: DeadLetterType | null;
}

@ObjectType('RefusedDeadLetter', { description: 'A dead letter that was left as it is.', simpleResolvers: true })
export class RefusedDeadLetterType {
  @Field(() => ID, { description: 'The letter that was asked for.' })
  id!: string;

  @Field(() => String, { description: 'Why, and what to do.' })
  reason!: string;
}

@ObjectType('RedrivePayload', { description: 'What became of the letters to be redriven.', simpleResolvers: true })
export class RedrivePayload {
  @Field(() => Int, { description: 'Letters that were asked for or found, refused ones too; at most 10,000.' })
  matched!: number;

  @Field(() => Int, { description: 'Letters that are back in their queue, confirmed by the broker.' })
  redriven!: number;

  @Field(() => Int, { description: 'Letters that are put back in the background after this answer.' })
  underWay!: number;

  @Field(() => [RefusedDeadLetterType], { description: 'Letters that were left as they are, with the reason.' })
  refused!: RefusedDeadLetterType[];
}

@ObjectType('DiscardDeadLettersPayload', {
  description: 'What became of the letters to be discarded.',
  simpleResolvers: true,
})
export class DiscardDeadLettersPayload {
  @Field(() => Int, { description: 'Letters that were asked for or found, refused ones too; at most 10,000.' })
  matched!: number;

  @Field(() => Int, { description: 'Letters that are discarded now.' })
  discarded!: number;

  @Field(() => [RefusedDeadLetterType], { description: 'Letters that were left as they are, with the reason.' })
  refused!: RefusedDeadLetterType[];
}
