import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { MeteringPoint } from '../entities/index.js';
import { PageArgs } from '../schema/connection.js';
import { DeleteInput, DeletePayload } from '../schema/delete.js';
import {
  CreateMeteringPointInput,
  MeteringPointFilter,
  UpdateMeteringPointInput,
} from '../schema/inputs/metering-point.js';
import { MeteringPointConnection, MeteringPointPayload, MeteringPointType } from '../schema/metering-point.js';
import { MeteringPointOrder } from '../schema/orderings.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => MeteringPointType)
export class MeteringPointResolver {
  @Query(() => MeteringPointType, {
    nullable: true,
    description: 'The metering point with this id; null when there is none.',
  })
  meteringPoint(
    @Arg('id', () => ID, { description: 'Id of the metering point.' }) id: string,
    @Ctx() { loaders }: RequestContext,
  ) {
    return loaders.nodes.MeteringPoint.load(id);
  }

  @Query(() => MeteringPointConnection, { description: 'Metering points, oldest first.' })
  meteringPoints(
    @Arg('filter', () => MeteringPointFilter, { nullable: true, description: 'Which points; all when absent.' })
    filter: MeteringPointFilter | null,
    @Arg('orderBy', () => MeteringPointOrder, {
      nullable: true,
      description: 'How they are ordered; oldest first when absent.',
    })
    orderBy: InstanceType<typeof MeteringPointOrder> | null,
    @Args(() => PageArgs) page: PageArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.meteringPoints.page(organizationId, page, filter ?? {}, orderBy);
  }

  @Mutation(() => MeteringPointPayload, { description: 'Saves a metering point.' })
  async createMeteringPoint(
    @Arg('input', () => CreateMeteringPointInput, { description: 'The point.' }) input: CreateMeteringPointInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { meteringPoint: await services.meteringPoints.create(organizationId, input) };
  }

  @Mutation(() => MeteringPointPayload, { description: 'Changes a metering point.' })
  async updateMeteringPoint(
    @Arg('input', () => UpdateMeteringPointInput, { description: 'The changes.' }) input: UpdateMeteringPointInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { meteringPoint: await services.meteringPoints.update(organizationId, input) };
  }

  @Mutation(() => DeletePayload, {
    description:
      'Deletes a metering point. CONFLICT while it has installations: by force they go with it, and readings of their time are of no place.',
  })
  deleteMeteringPoint(
    @Arg('input', () => DeleteInput, { description: 'The point.' }) input: DeleteInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.meteringPoints.delete(organizationId, input);
  }

  @FieldResolver()
  async currentMeterDevice(@Root() point: MeteringPoint, @Ctx() { loaders }: RequestContext) {
    return (await loaders.metersOfPoint.load(point.id))[0] ?? null;
  }

  @FieldResolver()
  currentMeterDevices(@Root() point: MeteringPoint, @Ctx() { loaders }: RequestContext) {
    return loaders.metersOfPoint.load(point.id);
  }

  @FieldResolver()
  installations(
    @Root() point: MeteringPoint,
    @Args(() => PageArgs) page: PageArgs,
    @Ctx() { loaders }: RequestContext,
  ) {
    return loaders.installationsOfPoint(page).load(point.id);
  }
}
