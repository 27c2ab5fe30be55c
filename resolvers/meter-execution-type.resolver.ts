import { Query, Resolver } from 'type-graphql';
import { MeterExecutionTypeType } from '../schema/meter-execution-type.js';
import { listMeterExecutionTypes } from '../src/services/meter-execution-types.js';

@Resolver()
export class MeterExecutionTypeResolver {
  @Query(() => [MeterExecutionTypeType], {
    description: "Ways to talk to meters, their calls, and the JSON Schema of each call's kwargs.",
  })
  meterExecutionTypes() {
    return listMeterExecutionTypes();
  }
}
