import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { NetworkInterface } from '../entities/index.js';
import { PageArgs } from '../schema/connection.js';
import { DeleteInput, DeletePayload } from '../schema/delete.js';
import { CreateNetworkInterfaceInput, UpdateNetworkInterfaceInput } from '../schema/inputs/network-interface.js';
import {
  NetworkInterfaceConnection,
  NetworkInterfacePayload,
  NetworkInterfaceType,
} from '../schema/network-interface.js';
import { NetworkInterfaceFilter } from '../schema/inputs/filters.js';
import { NetworkInterfaceOrder } from '../schema/orderings.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => NetworkInterfaceType)
export class NetworkInterfaceResolver {
  @Query(() => NetworkInterfaceType, {
    nullable: true,
    description: 'The interface with this id; null when there is none.',
  })
  networkInterface(
    @Arg('id', () => ID, { description: 'Id of the interface.' }) id: string,
    @Ctx() { loaders }: RequestContext,
  ) {
    return loaders.nodes.NetworkInterface.load(id);
  }

  @Query(() => NetworkInterfaceConnection, { description: 'Interfaces, oldest first.' })
  networkInterfaces(
    @Arg('filter', () => NetworkInterfaceFilter, { nullable: true, description: 'Which interfaces; all when absent.' })
    filter: NetworkInterfaceFilter | null,
    @Arg('orderBy', () => NetworkInterfaceOrder, {
      nullable: true,
      description: 'How they are ordered; oldest first when absent.',
    })
    orderBy: InstanceType<typeof NetworkInterfaceOrder> | null,
    @Args(() => PageArgs) page: PageArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.networkInterfaces.page(organizationId, page, filter ?? {}, orderBy);
  }

  @Mutation(() => NetworkInterfacePayload, { description: 'Saves an interface. Only TCP ones can be used.' })
  async createNetworkInterface(
    @Arg('input', () => CreateNetworkInterfaceInput, { description: 'The interface.' })
    input: CreateNetworkInterfaceInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { networkInterface: await services.networkInterfaces.create(organizationId, input) };
  }

  @Mutation(() => NetworkInterfacePayload, {
    description: 'Changes an interface; sessions that are open go on as they are.',
  })
  async updateNetworkInterface(
    @Arg('input', () => UpdateNetworkInterfaceInput, { description: 'The changes.' })
    input: UpdateNetworkInterfaceInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { networkInterface: await services.networkInterfaces.update(organizationId, input) };
  }

  @Mutation(() => DeletePayload, {
    description:
      'Deletes an interface. CONFLICT while meters use it or sessions ran over it: by force its meters have none, runs that wait for them are cancelled, and the record of its sessions goes. Never while a session is open.',
  })
  deleteNetworkInterface(
    @Arg('input', () => DeleteInput, { description: 'The interface.' }) input: DeleteInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.networkInterfaces.delete(organizationId, input);
  }

  @FieldResolver()
  segment(@Root() networkInterface: NetworkInterface, @Ctx() { loaders }: RequestContext) {
    return networkInterface.segment && loaders.nodes.Segment.load(networkInterface.segment.id);
  }

  @FieldResolver()
  isBusy(@Root() networkInterface: NetworkInterface, @Ctx() { loaders }: RequestContext) {
    return loaders.isBusy.load(networkInterface.id);
  }

  @FieldResolver()
  hold(@Root() networkInterface: NetworkInterface, @Ctx() { loaders }: RequestContext) {
    return loaders.holdOfInterface.load(networkInterface.id);
  }
}
