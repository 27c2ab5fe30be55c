import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { connectionOf } from './connection.js';
import { DateTime, JSONObject } from './scalars.js';

@ObjectType('AuditEntry', {
  description: 'Who did what, when and from where: one for each mutation that changed something. Never changed.',
  simpleResolvers: true,
})
export class AuditEntryType {
  @Field(() => ID, { description: 'UUIDv7.' })
  id!: string;

  @Field(() => DateTime, { description: "When, by the database's clock." })
  at!: Date;

  @Field(() => String, { description: 'Name of the token or user; anonymous where none is known.' })
  actor!: string;

  @Field(() => String, { nullable: true, description: 'Address the request came from, e.g. 192.0.2.7.' })
  source!: string | null;

  @Field(() => String, { description: 'Name of the mutation, e.g. updateMeterDevice.' })
  action!: string;

  @Field(() => String, { description: 'Type of what it was done to, e.g. MeterDevice.' })
  subjectType!: string;

  @Field(() => String, { nullable: true, description: 'Its id; null where it is about several.' })
  subjectId!: string | null;

  @Field(() => JSONObject, {
    nullable: true,
    description: 'What it was: the fields that changed, e.g. {"lifeCycle": "active"}. Secrets are hidden.',
  })
  before!: Record<string, unknown> | null;

  @Field(() => JSONObject, {
    nullable: true,
    description: 'What it became, e.g. {"lifeCycle": "retired"}. Secrets are hidden.',
  })
  after!: Record<string, unknown> | null;
}

@InputType({ description: 'Entries of the audit that meet all conditions given.' })
export class AuditEntryFilter {
  @Field(() => String, { nullable: true, description: 'The whole name of the token or user.' })
  actor?: string | null;

  @Field(() => String, { nullable: true, description: 'Name of the mutation, e.g. deleteAmrTask.' })
  action?: string | null;

  @Field(() => String, { nullable: true, description: 'Type of what it was done to, e.g. AmrTask.' })
  subjectType?: string | null;

  @Field(() => ID, { nullable: true, description: 'Id of what it was done to; quickest together with subjectType.' })
  subjectId?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'At this time or later, e.g. 2026-01-31T09:00:00Z.' })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Before this time.' })
  to?: Date | null;
}

export const AuditEntryConnection = connectionOf('AuditEntry', () => AuditEntryType);
