import { ArgsType, Field, Int, ObjectType, type ClassType } from 'type-graphql';

@ArgsType()
export class PageArgs {
  @Field(() => Int, { nullable: true, description: 'Most nodes to return: 1 to 500. Default 50.' })
  first?: number | null;

  @Field(() => String, {
    nullable: true,
    description: 'Cursor of the edge, or endCursor of the page, to continue after.',
  })
  after?: string | null;
}

@ObjectType('PageInfo', { description: 'Where a page lies in its list.', simpleResolvers: true })
export class PageInfoType {
  @Field(() => Boolean, { description: 'Whether nodes follow this page.' })
  hasNextPage!: boolean;

  @Field(() => Boolean, { description: 'Whether the page was asked for with a cursor, so that nodes precede it.' })
  hasPreviousPage!: boolean;

  @Field(() => String, { nullable: true, description: 'Cursor of the first edge; null on an empty page.' })
  startCursor!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'Cursor of the last edge: pass it as after. Null on an empty page.',
  })
  endCursor!: string | null;
}

/** The connection type of a node type (Relay Cursor Connections), such as `AmrTaskConnection`. */
export function connectionOf<T extends object>(name: string, node: () => ClassType<T>) {
  @ObjectType(`${name}Edge`, { description: `A ${name} in a list, with its position.`, simpleResolvers: true })
  class Edge {
    @Field(() => String, { description: 'Opaque position: pass it as after to continue behind this node.' })
    cursor!: string;

    @Field(node, { description: 'The item at this position.' })
    node!: T;
  }

  @ObjectType(`${name}Connection`, { description: `A page of a list of ${name}.`, simpleResolvers: true })
  class Connection {
    @Field(() => [Edge], { description: 'Nodes of this page with their cursors.' })
    edges!: Edge[];

    @Field(() => [node()], { description: 'Nodes of this page, without cursors.' })
    nodes!: T[];

    @Field(() => PageInfoType, { description: 'Where this page lies.' })
    pageInfo!: PageInfoType;

    @Field(() => Int, { description: 'Nodes in the whole list. Counted only when asked for.' })
    totalCount!: number;
  }
  return Connection;
}
