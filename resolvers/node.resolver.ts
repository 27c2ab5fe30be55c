import { Arg, Ctx, ID, Query, Resolver } from 'type-graphql';
import { NodeType } from '../schema/node.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver()
export class NodeResolver {
  @Query(() => NodeType, { nullable: true, description: 'Anything by its id; null when there is none.' })
  async node(
    @Arg('id', () => ID, { description: 'Id of a node of any type.' }) id: string,
    @Ctx() { services, organizationId, loaders }: RequestContext,
  ) {
    const kind = await services.nodes.kindOf(organizationId, id);
    return kind === undefined ? null : loaders.nodes[kind].load(id);
  }
}
