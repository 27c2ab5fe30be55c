import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import { RegisterType } from '../schema/register.js';
import type { RequestContext } from '../src/graphql/context.js';
import type { RegisterRow } from '../src/services/registers.js';

@Resolver(() => RegisterType)
export class RegisterResolver {
  @FieldResolver()
  meterDevice(@Root() register: RegisterRow, @Ctx() { loaders }: RequestContext) {
    return loaders.nodes.MeterDevice.load(register.meterDeviceId);
  }

  @FieldResolver()
  series(@Root() register: RegisterRow, @Ctx() { loaders }: RequestContext) {
    return loaders.nodes.Series.load(register.seriesId);
  }

  @FieldResolver()
  async firstReadingAt(@Root() register: RegisterRow, @Ctx() { loaders }: RequestContext) {
    return (await loaders.spanOfRegister.load(register.id))?.first;
  }

  @FieldResolver()
  async lastReadingAt(@Root() register: RegisterRow, @Ctx() { loaders }: RequestContext) {
    return (await loaders.spanOfRegister.load(register.id))?.last;
  }
}
