import { ArgsType, Field, ID, InputType, ObjectType } from 'type-graphql';
import { AlertKind, AlertSeverity } from '../src/domain/enums.js';
import { connectionOf, PageArgs } from './connection.js';
import { DateTime, JSONObject } from './scalars.js';

@ObjectType('Alert', { description: 'Something that needs a person, until it is resolved.', simpleResolvers: true })
export class AlertType {
  @Field(() => ID, { description: 'UUIDv7.' })
  id!: string;

  @Field(() => AlertKind, { description: 'What it is about.' })
  kind!: AlertKind;

  @Field(() => String, {
    description: 'Which of its kind: of LOSS the minute of publishing, such as 2026-01-31T09:00Z.',
  })
  subject!: string;

  @Field(() => AlertSeverity, { description: 'How bad it is, or was last.' })
  severity!: AlertSeverity;

  @Field(() => String, { description: 'What is wrong, for a person.' })
  message!: string;

  @Field(() => JSONObject, { description: 'The figures behind it.' })
  details!: Record<string, unknown>;

  @Field(() => DateTime, { description: 'When it opened.' })
  startedAt!: Date;

  @Field(() => DateTime, {
    description: 'When it was last found so; written once a minute at most where nothing changes.',
  })
  lastSeenAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it was found resolved; null while it is open.' })
  resolvedAt!: Date | null;
}

@InputType({ description: 'Alerts that meet all conditions given.' })
export class AlertFilter {
  @Field(() => [AlertKind], { nullable: true, description: 'Alerts about one of these.' })
  kinds?: AlertKind[] | null;

  @Field(() => [AlertSeverity], { nullable: true, description: 'Alerts that are, or were last, this bad.' })
  severities?: AlertSeverity[] | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'Alerts that opened at this time or later, e.g. 2026-01-31T09:00:00Z.',
  })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Alerts that opened before this time.' })
  to?: Date | null;
}

@ArgsType()
export class AlertsArgs extends PageArgs {
  @Field(() => Boolean, { nullable: true, description: 'True: open ones only; false: resolved ones only.' })
  open?: boolean | null;

  @Field(() => AlertFilter, { nullable: true, description: 'Which alerts; all when absent.' })
  filter?: AlertFilter | null;
}

export const AlertConnection = connectionOf('Alert', () => AlertType);
