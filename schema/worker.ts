import { Field, ID, Int, ObjectType } from 'type-graphql';
import { WorkerState } from '../src/domain/enums.js';
import { DateTime } from './scalars.js';

@ObjectType('Worker', {
  description: 'A process that carries out sessions with meters or stores readings, as it last reported itself.',
  simpleResolvers: true,
})
export class WorkerType {
  @Field(() => ID, { description: 'Made anew at each start of the process.' })
  id!: string;

  @Field(() => String, { description: 'What it is: poller or ingester.' })
  kind!: string;

  @Field(() => String, { description: 'Name of its machine.' })
  host!: string;

  @Field(() => Int, { description: 'Its process id there.' })
  pid!: number;

  @Field(() => String, { description: 'Version of the product it runs.' })
  version!: string;

  @Field(() => [String], { description: 'Queues it takes sessions or readings from.' })
  queues!: string[];

  @Field(() => Int, { description: 'Sessions it may hold open at once, over all its queues; 0 for an ingester.' })
  maxSessions!: number;

  @Field(() => Int, { description: 'Sessions it held open when it last reported itself.' })
  openSessions!: number;

  @Field(() => DateTime, { description: 'When its first report was booked.' })
  startedAt!: Date;

  @Field(() => DateTime, { description: 'When its last report was booked.' })
  lastSeenAt!: Date;

  @Field(() => WorkerState, { description: 'Whether it works.' })
  state!: WorkerState;
}
