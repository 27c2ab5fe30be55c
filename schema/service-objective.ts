import { Field, Float, InputType, Int, ObjectType } from 'type-graphql';
import { ServiceObjectiveKind, ServiceObjectiveState } from '../src/domain/enums.js';
import { Decimal } from './scalars.js';

const burnRate = (window: string) => ({
  nullable: true,
  description: `Share of errors over the last ${window} / (1 - target): 1 is just what is tolerated. Null where nothing happened, and for LOSS.`,
});
const compliance = (window: string) => ({
  nullable: true,
  description: `Share that was good over the last ${window}, 0 to 1. Null where nothing happened.`,
});

@ObjectType('ServiceObjective', {
  description: 'What an organization promises of its readings, and how it keeps it.',
  simpleResolvers: true,
})
export class ServiceObjectiveType {
  @Field(() => ServiceObjectiveKind, { description: 'What is promised.' })
  kind!: ServiceObjectiveKind;

  @Field(() => Decimal, { description: 'Share that is to be good, 0 to 1.' })
  target!: string;

  @Field(() => Int, {
    nullable: true,
    description: 'Of LATENCY: longest time from publishing to commit that is on time, in milliseconds.',
  })
  maxLatencyMs!: number | null;

  @Field(() => ServiceObjectiveState, { description: 'Whether it is kept.' })
  state!: ServiceObjectiveState;

  @Field(() => Float, compliance('hour'))
  compliance1h!: number | null;

  @Field(() => Float, compliance('6 hours'))
  compliance6h!: number | null;

  @Field(() => Float, compliance('30 days'))
  compliance30d!: unknown;

  @Field(() => Float, burnRate('5 minutes'))
  burnRate5m!: number | null;

  @Field(() => Float, burnRate('30 minutes'))
  burnRate30m!: number | null;

  @Field(() => Float, burnRate('hour'))
  burnRate1h!: number | null;

  @Field(() => Float, burnRate('6 hours'))
  burnRate6h!: number | null;
}

@InputType({ description: 'An objective to set.' })
export class SetServiceObjectiveInput {
  @Field(() => ServiceObjectiveKind, { description: 'What is promised.' })
  kind!: ServiceObjectiveKind;

  @Field(() => Decimal, {
    description: 'Share that is to be good: above 0 and below 1, up to six decimal places; 1 for LOSS.',
  })
  target!: string;

  @Field(() => Int, {
    nullable: true,
    description: 'Of LATENCY only: 1 to 86400000 milliseconds. Left out: it stays.',
  })
  maxLatencyMs?: number | null;
}

@ObjectType('ServiceObjectivePayload', { description: 'The objective as it is now.', simpleResolvers: true })
export class ServiceObjectivePayload {
  @Field(() => ServiceObjectiveType, { description: 'The objective.' })
  serviceObjective!: ServiceObjectiveType;
}
