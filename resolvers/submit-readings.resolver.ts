import { Arg, Ctx, Mutation, Resolver } from 'type-graphql';
import { SubmitReadingsInput } from '../schema/inputs/submit-readings.js';
import { SubmitReadingsPayload } from '../schema/submit-readings.js';
import type { RequestContext } from '../src/graphql/context.js';

@Resolver()
export class SubmitReadingsResolver {
  @Mutation(() => SubmitReadingsPayload, {
    description: 'Takes readings in as a publisher of the queue readings.new does. Sending them again is harmless.',
  })
  async submitReadings(
    @Arg('input', () => SubmitReadingsInput, { description: 'The readings.' }) input: SubmitReadingsInput,
    @Ctx() { services, organizationId }: RequestContext,
  ) {
    return { accepted: await services.readingSubmission.submit(organizationId, input) };
  }
}
