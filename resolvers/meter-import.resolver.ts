import { Arg, Ctx, Mutation, Resolver } from 'type-graphql';
import { BulkPayload } from '../schema/bulk.js';
import { ImportMeterDevicesInput } from '../schema/inputs/meter-import.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver()
export class MeterImportResolver {
  @Mutation(() => BulkPayload, {
    description:
      'Registers or updates many meters, found by externalReference or name. An item with an error is left out as a whole, the others go in; the same call again changes nothing.',
  })
  importMeterDevices(
    @Arg('input', () => ImportMeterDevicesInput, { description: 'The meters.' }) input: ImportMeterDevicesInput,
    @Ctx() { services, organizationId, actor, source }: RequestContext,
  ): Promise<BulkPayload> {
    return services.meterImport.importMeters(organizationId, input, { actor, source });
  }
}
