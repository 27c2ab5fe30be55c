import { GraphQLError } from 'graphql';
import type { RequestContext } from './context.js';
import { whenOver } from './identity-end.js';

type Rights = Pick<RequestContext, 'expiresAt' | 'revoked'>;

/**
 * The stream, until the right to it ends: then it fails with `UNAUTHENTICATED`, whether or not anything is waited for, and its
 * source is ended.
 */
export function whileAllowed<T>(stream: AsyncGenerator<T, void, void>, rights: Rights): AsyncGenerator<T, void, void> {
  const { expiresAt, revoked } = rights;
  if (expiresAt === undefined && revoked === undefined) return stream;
  let deny: (error: GraphQLError) => void;
  const denied = new Promise<never>((_resolve, reject) => (deny = reject));
  denied.catch(() => undefined); // told by `next`
  const stop = whenOver(rights, (why) => {
    deny(new GraphQLError(`${why}. Subscribe again with another one.`, { extensions: { code: 'UNAUTHENTICATED' } }));
    void stream.return();
  });
  const end = () => {
    stop();
    return stream.return();
  };
  return Object.assign(Object.create(stream) as AsyncGenerator<T, void, void>, {
    next: async () => {
      try {
        const item = await Promise.race([denied, stream.next()]);
        if (item.done) stop();
        return item;
      } catch (error) {
        stop();
        throw error;
      }
    },
    return: end,
    throw: end,
    [Symbol.asyncIterator]() {
      return this;
    },
  });
}
