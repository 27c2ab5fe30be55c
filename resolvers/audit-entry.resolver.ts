import { Arg, Args, Ctx, Query, Resolver } from 'type-graphql';
import { AuditEntryConnection, AuditEntryFilter, AuditEntryType } from '../schema/audit-entry.js';
import { PageArgs } from '../schema/connection.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => AuditEntryType)
export class AuditEntryResolver {
  @Query(() => AuditEntryConnection, { description: 'Who did what, newest first. For administrators.' })
  auditEntries(
    @Arg('filter', () => AuditEntryFilter, { nullable: true, description: 'Which entries; all when absent.' })
    filter: AuditEntryFilter | null,
    @Args(() => PageArgs) page: PageArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.auditEntries.page(organizationId, page, filter ?? {});
  }
}
