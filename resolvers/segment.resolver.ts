import { Arg, Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Segment } from '../entities/index.js';
import { PageArgs } from '../schema/connection.js';
import { DeleteInput, DeletePayload } from '../schema/delete.js';
import { CreateSegmentInput, UpdateSegmentInput } from '../schema/inputs/segment.js';
import { SegmentConnection, SegmentPayload, SegmentType } from '../schema/segment.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => SegmentType)
export class SegmentResolver {
  @Query(() => SegmentConnection, { description: 'Segments, oldest first.' })
  segments(@Args(() => PageArgs) page: PageArgs, @Ctx() { services, organizationId }: RequestContext) {
    return services.segments.page(organizationId, page);
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

  @Mutation(() => DeletePayload, { description: 'Deletes a segment that no interface uses.' })
  deleteSegment(
    @Arg('input', () => DeleteInput, { description: 'The segment.' }) { id }: DeleteInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.segments.delete(organizationId, id);
  }

  @FieldResolver()
  openSessions(@Root() segment: Segment, @Ctx() { loaders }: RequestContext) {
    return loaders.openSessions.load(segment.id);
  }
}
