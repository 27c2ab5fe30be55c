import { Args, Ctx, Query, Resolver } from 'type-graphql';
import { LossAccountType, LossMinutesArgs, LossPeriodArgs } from '../schema/loss-account.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver(() => LossAccountType)
export class LossAccountResolver {
  @Query(() => LossAccountType, { description: 'What became of the readings published in a period.' })
  lossAccount(
    @Args(() => LossPeriodArgs) { from, to }: LossPeriodArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.lossAccount.account(organizationId, from, to);
  }

  @Query(() => [LossAccountType], {
    description: 'The account minute by minute, oldest first; minutes in which nothing was published are left out.',
  })
  lossAccountByMinute(
    @Args(() => LossMinutesArgs) { from, to, first }: LossMinutesArgs,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return services.lossAccount.byMinute(organizationId, from, to, first);
  }
}
