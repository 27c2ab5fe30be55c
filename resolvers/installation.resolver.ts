import { Arg, Ctx, FieldResolver, Mutation, Resolver, Root } from 'type-graphql';
import type { Installation } from '../entities/index.js';
import { DeleteInput, DeletePayload } from '../schema/delete.js';
import { InstallMeterInput, RemoveMeterInput, UpdateInstallationInput } from '../schema/inputs/installation.js';
import { InstallationPayload, InstallationType } from '../schema/installation.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => InstallationType)
export class InstallationResolver {
  @Mutation(() => InstallationPayload, { description: 'Says from when on a meter is at a metering point.' })
  async installMeter(
    @Arg('input', () => InstallMeterInput, { description: 'Which meter, where and when.' }) input: InstallMeterInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { installation: await services.installations.install(organizationId, input) };
  }

  @Mutation(() => InstallationPayload, { description: 'Says when a meter left its metering point.' })
  async removeMeter(
    @Arg('input', () => RemoveMeterInput, { description: 'Which installation, and when.' }) input: RemoveMeterInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { installation: await services.installations.remove(organizationId, input) };
  }

  @Mutation(() => InstallationPayload, {
    description: 'Corrects times and indexes of an installation. Stored readings stay as they are.',
  })
  async updateInstallation(
    @Arg('input', () => UpdateInstallationInput, { description: 'The corrections.' }) input: UpdateInstallationInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { installation: await services.installations.update(organizationId, input) };
  }

  @Mutation(() => DeletePayload, { description: 'Deletes an installation that was entered by mistake.' })
  deleteInstallation(
    @Arg('input', () => DeleteInput, { description: 'The installation.' }) input: DeleteInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.installations.delete(organizationId, input);
  }

  @FieldResolver()
  meterDevice(@Root() installation: Installation, @Ctx() { loaders }: RequestContext) {
    return loaders.nodes.MeterDevice.load(installation.meterDevice.id);
  }

  @FieldResolver()
  meteringPoint(@Root() installation: Installation, @Ctx() { loaders }: RequestContext) {
    return loaders.nodes.MeteringPoint.load(installation.meteringPoint.id);
  }
}
