import { Field, InputType, Int } from 'type-graphql';
import { ReadingOrigin } from '../../src/domain/enums.js';
import { DateTime, Decimal } from '../scalars.js';

@InputType({ description: 'One value of one series of one meter at one time.' })
export class NewMeterReadingInput {
  @Field(() => String, { description: 'Id or name of the meter; readings of an unknown one wait 30 days for it.' })
  meter!: string;

  @Field(() => String, { description: 'What was measured, OBIS code preferred, 1 to 150 characters.' })
  series!: string;

  @Field(() => DateTime, { description: 'When it was measured; of an interval its end.' })
  timestamp!: Date;

  @Field(() => Decimal, { description: 'The exact value.' })
  value!: string;

  @Field(() => String, { nullable: true, description: 'Unit of the value, 1 to 20 characters, e.g. m3.' })
  unit?: string | null;

  @Field(() => Int, { nullable: true, description: 'Status bits, see docs/messages.md. Default 0: good.' })
  status?: number | null;
}

@InputType({ description: 'Readings that another program brings.' })
export class SubmitReadingsInput {
  @Field(() => [NewMeterReadingInput], {
    description: '1 to 10,000 readings, of any meters; a request holds up to 1 MB.',
  })
  readings!: NewMeterReadingInput[];

  @Field(() => ReadingOrigin, { nullable: true, description: 'PUSH or IMPORT. Default PUSH.' })
  origin?: ReadingOrigin | null;

  @Field(() => DateTime, {
    nullable: true,
    description: 'When they were collected: decides which of two values for one time is the first. Default now.',
  })
  collectedAt?: Date | null;
}
