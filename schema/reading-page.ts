import { ArgsType, Field, ID, Int, ObjectType } from 'type-graphql';
import { RegisterType } from './register.js';
import { DateTime, Decimal } from './scalars.js';

@ArgsType()
export class ReadingsArgs {
  @Field(() => ID, { description: 'The meter whose readings are asked for.' })
  meterDevice!: string;

  @Field(() => [String], { nullable: true, description: 'Names of series. Default: all of the meter.' })
  series?: string[] | null;

  @Field(() => DateTime, { description: 'Readings measured at or after.' })
  from!: Date;

  @Field(() => DateTime, { description: 'Readings measured before.' })
  to!: Date;

  @Field(() => Int, { nullable: true, description: 'Most readings in the page: 1 to 10000. Default 10000.' })
  first?: number | null;

  @Field(() => String, { nullable: true, description: 'next of the page before.' })
  after?: string | null;
}

@ObjectType('ReadingColumns', {
  description: "One register's readings as parallel arrays, oldest first.",
  simpleResolvers: true,
})
export class ReadingColumnsType {
  @Field(() => RegisterType, { description: 'The register they belong to.' })
  register!: RegisterType;

  @Field(() => [DateTime], { description: 'When measured.' })
  timestamps!: Iterable<Date>;

  @Field(() => [Decimal], { description: 'Exact values.' })
  values!: Iterable<string>;

  @Field(() => [String], { description: 'Quality codes joined by a comma; empty = good.' })
  qualities!: Iterable<string>;
}

@ObjectType('ReadingPage', { description: 'Readings ordered by register, then time.', simpleResolvers: true })
export class ReadingPageType {
  @Field(() => [ReadingColumnsType], { description: 'One entry per register that has readings in this page.' })
  columns!: ReadingColumnsType[];

  @Field(() => String, { nullable: true, description: 'Pass as after to read on; null at the end.' })
  next!: string | null;
}
