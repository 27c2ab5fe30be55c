import { Field, ID, InterfaceType } from 'type-graphql';

/** Rows of the ORM are named as their GraphQL types; runs are plain rows of a partitioned table. */
function typeName(row: object): string {
  return row.constructor === Object ? 'TaskRun' : row.constructor.name;
}

@InterfaceType('Node', { description: 'Anything that can be found again by its id.', resolveType: typeName })
export abstract class NodeType {
  @Field(() => ID, { description: 'UUIDv7, unique across all types.' })
  id!: string;
}
