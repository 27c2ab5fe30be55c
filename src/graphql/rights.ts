import { GraphQLError } from 'graphql';
import type { RequestContext } from './context.js';

/** Longest timer of Node.js; a later end is looked at again then. */
const MAX_TIMER_MS = 2_147_483_647;

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
  const stop = watch(rights, (reason) => {
    deny(new GraphQLError(reason, { extensions: { code: 'UNAUTHENTICATED' } }));
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

/** Calls `end` once, when the rights end. Returns what stops the watch. */
function watch({ expiresAt, revoked }: Rights, end: (reason: string) => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const stop = () => {
    clearTimeout(timer);
    revoked?.removeEventListener('abort', onRevoked);
  };
  const over = (reason: string) => {
    stop();
    end(reason);
  };
  const onRevoked = () => over('The token was revoked. Subscribe again with another one.');
  const look = () => {
    const left = expiresAt! - Date.now();
    if (left <= 0) over('The token has expired. Subscribe again with a new one.');
    else timer = setTimeout(look, Math.min(left, MAX_TIMER_MS));
  };
  revoked?.addEventListener('abort', onRevoked);
  if (revoked?.aborted) onRevoked();
  else if (expiresAt !== undefined) look();
  return stop;
}
