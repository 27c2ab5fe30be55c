import { Field, InputType } from 'type-graphql';
import { CreateMeterDeviceInput } from './meter-device.js';

@InputType({ description: 'Meters to register or to change.' })
export class ImportMeterDevicesInput {
  @Field(() => [CreateMeterDeviceInput], {
    description:
      '1 to 10,000 meters; a request holds up to 1 MB, some 5,000 with eight fields each. The meter with the externalReference of an item is updated, else the one with its name, else one is created. What an item leaves out stays as it is.',
  })
  items!: CreateMeterDeviceInput[];

  @Field(() => Boolean, { nullable: true, description: 'Only tells what would be done. Default false.' })
  dryRun?: boolean | null;
}
