import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { DeadLetter } from '../entities/index.js';
import { PageArgs } from '../schema/connection.js';
import {
  DeadLetterConnection,
  DeadLetterGroupType,
  DeadLetterType,
  DiscardDeadLettersPayload,
  RedrivePayload,
} from '../schema/dead-letter.js';
import {
  DeadLetterFilter,
  DeadLetterGroupArgs,
  DiscardDeadLettersInput,
  RedriveDeadLettersInput,
} from '../schema/inputs/dead-letter.js';
import { DeadLetterOrder } from '../schema/orderings.js';
import type { RequestContext } from '../src/graphql/context.js';
import { isParsed, messageIn, type DeadLetterGroup } from '../src/services/dead-letter-list.js';

@Resolver(() => DeadLetterType)
export class DeadLetterResolver {
  @Query(() => DeadLetterType, {
    nullable: true,
    description: 'The dead letter with this id; null when there is none.',
  })
  deadLetter(
    @Arg('id', () => ID, { description: 'Id of the letter.' }) id: string,
    @Ctx() { loaders }: RequestContext,
  ) {
    return loaders.nodes.DeadLetter.load(id);
  }

  @Query(() => DeadLetterConnection, { description: 'Messages that could not be processed, newest first.' })
  deadLetters(
    @Arg('filter', () => DeadLetterFilter, { nullable: true, description: 'Which letters; all when absent.' })
    filter: DeadLetterFilter | null,
    @Arg('queue', () => String, { nullable: true, description: 'Short for queue of the filter, which goes before it.' })
    queue: string | null,
    @Arg('orderBy', () => DeadLetterOrder, {
      nullable: true,
      description: 'How they are ordered; newest first when absent.',
    })
    orderBy: InstanceType<typeof DeadLetterOrder> | null,
    @Args(() => PageArgs) page: PageArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.deadLetters.page(organizationId, page, { ...filter, queue: filter?.queue ?? queue }, orderBy);
  }

  @Query(() => [DeadLetterGroupType], { description: 'Dead letters by how they failed, last seen first.' })
  deadLetterGroups(
    @Args(() => DeadLetterGroupArgs) args: DeadLetterGroupArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.deadLetters.groups(organizationId, args);
  }

  @Mutation(() => RedrivePayload, {
    description:
      'Puts dead letters back into their queues, once their cause is cured. What takes longer than 10 s goes on in the background. Sessions are refused, as the scheduler sends their runs again by itself.',
  })
  redriveDeadLetters(
    @Arg('input', () => RedriveDeadLettersInput, { description: 'Which letters, and how.' })
    input: RedriveDeadLettersInput,
    @Ctx() { services, organizationId, actor, source }: RequestContext,
  ) {
    return services.redrive.redriveDeadLetters(organizationId, input, { actor, source });
  }

  @Mutation(() => DiscardDeadLettersPayload, {
    description: 'Gives dead letters up for good: their readings count as discarded. The audit keeps the reason.',
  })
  discardDeadLetters(
    @Arg('input', () => DiscardDeadLettersInput, { description: 'Which letters, and why.' })
    input: DiscardDeadLettersInput,
    @Ctx() { services, organizationId, actor, source }: RequestContext,
  ) {
    return services.discard.discardDeadLetters(organizationId, input, { actor, source });
  }

  @FieldResolver()
  body(@Root() letter: DeadLetter, @Ctx() { loaders }: RequestContext) {
    return loaders.bodyOfDeadLetter.load(letter.id);
  }

  @FieldResolver()
  async message(@Root() letter: DeadLetter, @Ctx() { loaders }: RequestContext) {
    const body = isParsed(letter) ? await loaders.bodyOfDeadLetter.load(letter.id) : null;
    return body && messageIn(body);
  }
}

@Resolver(() => DeadLetterGroupType)
export class DeadLetterGroupResolver {
  @FieldResolver()
  newest(@Root() group: DeadLetterGroup, @Ctx() { loaders }: RequestContext) {
    return loaders.nodes.DeadLetter.load(group.newest);
  }
}
