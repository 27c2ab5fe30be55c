import { Arg, Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Segment } from '../entities/index.js';
import { PageArgs } from '../schema/connection.js';
import { DeleteInput, DeletePayload } from '../schema/delete.js';
import { CreateSegmentInput, UpdateSegmentInput } from '../schema/inputs/segment.js';
import { SegmentConnection, SegmentPayload, SegmentType } from '../schema/segment.js';
import { SegmentFilter } from '../schema/inputs/filters.js';
import { SegmentOrder } from '../schema/orderings.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => SegmentType)
export class SegmentResolver {
  @Query(() => SegmentConnection, { description: 'Segments, oldest first.' })
  segments(
    @Arg('filter', () => SegmentFilter, { nullable: true, description: 'Which segments; all when absent.' })
    filter: SegmentFilter | null,
    @Arg('orderBy', () => SegmentOrder, {
      nullable: true,
      description: 'How they are ordered; oldest first when absent.',
    })
    orderBy: InstanceType<typeof SegmentOrder> | null,
    @Args(() => PageArgs) page: PageArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.segments.page(organizationId, page, filter ?? {}, orderBy);
  }

  @Mutation(() => SegmentPayload, { description: 'Saves a segment.' })
  async createSegment(
    @Arg('input', () => CreateSegmentInput, { description: 'The segment.' }) input: CreateSegmentInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { segment: await services.segments.create(organizationId, input) };
  }

  @Mutation(() => SegmentPayload, { description: 'Changes a segment.' })
  async updateSegment(
    @Arg('input', () => UpdateSegmentInput, { description: 'The changes.' }) input: UpdateSegmentInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { segment: await services.segments.update(organizationId, input) };
  }

  @Mutation(() => DeletePayload, {
    description:
      'Deletes a segment. CONFLICT while interfaces use it: by force they are in none, and their sessions no longer limited.',
  })
  deleteSegment(
    @Arg('input', () => DeleteInput, { description: 'The segment.' }) input: DeleteInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.segments.delete(organizationId, input);
  }

  @FieldResolver()
  openSessions(@Root() segment: Segment, @Ctx() { loaders }: RequestContext) {
    return loaders.openSessions.load(segment.id);
  }
}
