import { Args, Ctx, Query, Resolver } from 'type-graphql';
import { AlertConnection, AlertsArgs, AlertType } from '../schema/alert.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => AlertType)
export class AlertResolver {
  @Query(() => AlertConnection, { description: 'Alerts, newest first.' })
  alerts(
    @Args(() => AlertsArgs) { open, filter, ...page }: AlertsArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.alerts.page(organizationId, { ...filter, open }, page);
  }
}
