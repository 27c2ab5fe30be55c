import { ArgsType, Field } from 'type-graphql';
import { DateTime } from '../scalars.js';

@ArgsType()
export class PeriodArgs {
  @Field(() => DateTime, { description: 'Slots from this time on.' })
  from!: Date;

  @Field(() => DateTime, { description: 'Slots before this time; at most 400 days after from.' })
  to!: Date;
}
