import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import { ReadingColumnsType } from '../schema/reading-page.js';
import type { RequestContext } from '../src/graphql/context.js';
import { listOf } from '../src/graphql/raw-lists.js';
import type { ReadingColumns } from '../src/services/readings.js';

@Resolver(() => ReadingColumnsType)
export class ReadingColumnsResolver {
  @FieldResolver()
  timestamps(@Root() columns: ReadingColumns, @Ctx() context: RequestContext) {
    return listOf(columns.timestamps, context);
  }

  @FieldResolver()
  values(@Root() columns: ReadingColumns, @Ctx() context: RequestContext) {
    return listOf(columns.values, context);
  }

  @FieldResolver()
  qualities(@Root() columns: ReadingColumns, @Ctx() context: RequestContext) {
    return listOf(columns.qualities, context);
  }
}
