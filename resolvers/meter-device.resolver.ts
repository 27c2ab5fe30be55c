import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { MeterDevice } from '../entities/index.js';
import { PageArgs } from '../schema/connection.js';
import { DeleteInput, DeletePayload } from '../schema/delete.js';
import { MeterDeviceFilter, TaskRunFilter } from '../schema/inputs/filters.js';
import { CreateMeterDeviceInput, UpdateMeterDeviceInput } from '../schema/inputs/meter-device.js';
import { MeterDeviceConnection, MeterDevicePayload, MeterDeviceType } from '../schema/meter-device.js';
import { MeterDeviceOrder } from '../schema/orderings.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => MeterDeviceType)
export class MeterDeviceResolver {
  @Query(() => MeterDeviceType, { nullable: true, description: 'The meter with this id; null when there is none.' })
  meterDevice(
    @Arg('id', () => ID, { description: 'Id of the meter.' }) id: string,
    @Ctx() { loaders }: RequestContext,
  ) {
    return loaders.nodes.MeterDevice.load(id);
  }

  @Query(() => MeterDeviceConnection, { description: 'Meters, oldest first.' })
  meterDevices(
    @Arg('filter', () => MeterDeviceFilter, { nullable: true, description: 'Which meters; all when absent.' })
    filter: MeterDeviceFilter | null,
    @Arg('orderBy', () => MeterDeviceOrder, {
      nullable: true,
      description: 'How they are ordered; oldest first when absent.',
    })
    orderBy: InstanceType<typeof MeterDeviceOrder> | null,
    @Args(() => PageArgs) page: PageArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.meterDevices.page(organizationId, page, filter ?? {}, orderBy);
  }

  @Mutation(() => MeterDevicePayload, { description: 'Registers a meter.' })
  async createMeterDevice(
    @Arg('input', () => CreateMeterDeviceInput, { description: 'The meter.' }) input: CreateMeterDeviceInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { meterDevice: await services.meterDevices.create(organizationId, input) };
  }

  @Mutation(() => MeterDevicePayload, { description: 'Changes a meter.' })
  async updateMeterDevice(
    @Arg('input', () => UpdateMeterDeviceInput, { description: 'The changes.' }) input: UpdateMeterDeviceInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { meterDevice: await services.meterDevices.update(organizationId, input) };
  }

  @Mutation(() => MeterDevicePayload, {
    description:
      'Lets a meter that refused its credentials be polled again with the same ones, once somebody has looked. Changes nothing when it refused none. New credentials through updateMeterDevice clear the rejection as well. Runs that failed meanwhile stay FAILED.',
  })
  async clearCredentialsRejection(
    @Arg('input', () => DeleteInput, { description: 'The meter.' }) { id }: DeleteInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { meterDevice: await services.meterDevices.clearCredentialsRejection(organizationId, id) };
  }

  @Mutation(() => DeletePayload, {
    description:
      'Deletes a meter without readings; one with readings is set RETIRED instead, also by force. CONFLICT while it has runs or installations: by force their record goes with it.',
  })
  deleteMeterDevice(
    @Arg('input', () => DeleteInput, { description: 'The meter.' }) input: DeleteInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.meterDevices.delete(organizationId, input);
  }

  @FieldResolver()
  networkInterface(@Root() meter: MeterDevice, @Ctx() { loaders }: RequestContext) {
    return meter.networkInterface && loaders.nodes.NetworkInterface.load(meter.networkInterface.id);
  }

  @FieldResolver()
  hasCredentials(@Root() meter: MeterDevice, @Ctx() { loaders }: RequestContext) {
    return loaders.hasCredentials.load(meter.id);
  }

  @FieldResolver()
  taskGroups(@Root() meter: MeterDevice, @Ctx() { loaders }: RequestContext) {
    return loaders.groupsOfMeter.load(meter.id);
  }

  @FieldResolver()
  meterTasks(@Root() meter: MeterDevice, @Ctx() { loaders }: RequestContext) {
    return loaders.tasksOfMeter.load(meter.id);
  }

  @FieldResolver()
  registers(@Root() meter: MeterDevice, @Ctx() { loaders }: RequestContext) {
    return loaders.registersOfMeter.load(meter.id);
  }

  @FieldResolver()
  lastReadingAt(@Root() meter: MeterDevice, @Ctx() { loaders }: RequestContext) {
    return loaders.lastReadingAtOfMeter.load(meter.id);
  }

  @FieldResolver()
  async meteringPoint(@Root() meter: MeterDevice, @Ctx() { loaders }: RequestContext) {
    return (await loaders.pointsOfMeter.load(meter.id))[0] ?? null;
  }

  @FieldResolver()
  installations(@Root() meter: MeterDevice, @Args(() => PageArgs) page: PageArgs, @Ctx() { loaders }: RequestContext) {
    return loaders.installationsOfMeter(page).load(meter.id);
  }

  @FieldResolver()
  taskRuns(
    @Root() meter: MeterDevice,
    @Args(() => PageArgs) page: PageArgs,
    @Arg('filter', () => TaskRunFilter, { nullable: true, description: 'Which runs; all when absent.' })
    filter: TaskRunFilter | null,
    @Ctx() { loaders }: RequestContext,
  ) {
    return loaders.runsOfMeter(page, filter ?? {}).load(meter.id);
  }
}
