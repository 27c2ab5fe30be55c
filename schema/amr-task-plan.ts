import { Field, Float, Int, ObjectType } from 'type-graphql';
import { SessionTimeBasis } from '../src/domain/enums.js';
import { NetworkInterfaceType } from './network-interface.js';
import { SegmentType } from './segment.js';

@ObjectType('MetersLeftOut', {
  description: 'Meters that a task reaches but does not read, each under the first reason that holds.',
  simpleResolvers: true,
})
export class MetersLeftOutType {
  @Field(() => Int, { description: 'Meters that are RETIRED.' })
  retired!: number;

  @Field(() => Int, { description: 'Meters without a network interface.' })
  withoutInterface!: number;

  @Field(() => Int, { description: 'Meters that refused their credentials.' })
  credentialsRejected!: number;
}

@ObjectType('SessionTime', {
  description:
    'How long the session of one meter takes. Without measurements a default: 30 s, and 60 s at the 95th percentile.',
  simpleResolvers: true,
})
export class SessionTimeType {
  @Field(() => Float, { description: 'Mean, in seconds.' })
  expected!: number;

  @Field(() => Float, { description: '95th percentile, in seconds.' })
  p95!: number;

  @Field(() => SessionTimeBasis, { description: 'Where the figures come from.' })
  basis!: SessionTimeBasis;

  @Field(() => Int, {
    description:
      'Runs looked at: the newest of the last 7 days with the same execution type and call that succeeded at the first try, at most 1,000. Below 10 the default is taken.',
  })
  sampleSize!: number;
}

@ObjectType('PlannedInterface', { description: 'What a slot means for one network interface.', simpleResolvers: true })
export class PlannedInterfaceType {
  /** Not exposed: the relation is resolved from it. */
  networkInterfaceId!: string;

  @Field(() => NetworkInterfaceType, { description: 'The interface.' })
  networkInterface!: NetworkInterfaceType;

  @Field(() => Int, { description: 'Meters of the task on it.' })
  meters!: number;

  @Field(() => Float, { description: 'Time for all of them, one after another.' })
  seconds!: number;
}

@ObjectType('PlannedSegment', { description: 'What a slot means for one segment.', simpleResolvers: true })
export class PlannedSegmentType {
  /** Not exposed: the relation is resolved from it. */
  segmentId!: string;

  @Field(() => SegmentType, { description: 'The segment.' })
  segment!: SegmentType;

  @Field(() => Int, { description: 'Meters of the task in it.' })
  meters!: number;

  @Field(() => Float, { description: 'Time for all of them within its limits.' })
  seconds!: number;
}

@ObjectType('AmrTaskPlan', {
  description:
    'How long a slot of a task takes. Other tasks are not part of it: meters whose other tasks are due at the same slot share a session, other meters compete for pollers, interfaces and segments.',
  simpleResolvers: true,
})
export class AmrTaskPlanType {
  @Field(() => Int, { description: 'Meters reached through groups and directly, each once.' })
  metersReached!: number;

  @Field(() => MetersLeftOutType, { description: 'Of these, meters that are not read.' })
  metersLeftOut!: MetersLeftOutType;

  @Field(() => Int, { description: 'Sessions of a slot: one for each meter that is read.' })
  sessionsPerSlot!: number;

  @Field(() => SessionTimeType, { description: 'How long one session takes.' })
  secondsPerSession!: SessionTimeType;

  @Field(() => Int, {
    description: 'Scheduled sessions that the pollers heard of within the last 35 s can hold open together.',
  })
  pollerCapacity!: number;

  @Field(() => Float, {
    nullable: true,
    description:
      'The longest of: all sessions over the poller capacity; the hottest interface; the hottest segment. Null when no poller is seen.',
  })
  expectedDurationSeconds!: number | null;

  @Field(() => Int, { description: 'What a slot may take: the period of the schedule, or the deadline if shorter.' })
  availableSeconds!: number;

  @Field(() => Int, { description: 'Sessions that must be open together for a slot to end within availableSeconds.' })
  parallelSessionsNeeded!: number;

  @Field(() => PlannedInterfaceType, {
    nullable: true,
    description: 'The interface with most meters; null when no meter is read.',
  })
  hottestInterface!: unknown;

  @Field(() => PlannedSegmentType, {
    nullable: true,
    description: 'The segment whose limits make its meters take longest; null when none is limited.',
  })
  hottestSegment!: unknown;

  @Field(() => Boolean, { description: 'Whether a slot is expected to end within the period of the schedule.' })
  finishesBeforeNextSlot!: boolean;

  @Field(() => [String], {
    description: 'What to change so that a slot ends within availableSeconds; empty when nothing is needed.',
  })
  advice!: string[];
}
