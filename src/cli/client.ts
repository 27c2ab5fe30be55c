import { createClient, GraphqlRequestError, type GraphqlClient } from '../graphql/client.js';
import { ConnectionLostError } from '../graphql/client-subscription.js';
import { CommandError, EXIT } from './io.js';

/** Runs `work` with a client of the API; what the API answers or does not answer becomes an exit code and a message. */
export async function withClient(url: string, work: (client: GraphqlClient) => Promise<void>): Promise<void> {
  try {
    await work(createClient({ url }));
  } catch (error) {
    if (error instanceof GraphqlRequestError) {
      const ours = error.code === 'INTERNAL_SERVER_ERROR';
      throw new CommandError(ours ? EXIT.failed : EXIT.usage, `${error.message} [${error.code}]`);
    }
    // A plain error is the client's word that there is no API; a fault in our own code is of a subclass.
    const lost = error instanceof ConnectionLostError;
    if (lost || (error instanceof Error && error.constructor === Error)) {
      const problem = error.message.startsWith('The API')
        ? error.message
        : `The API at ${url} cannot be reached: ${error.message}.`;
      throw new CommandError(EXIT.unreachable, `${problem} Start it with \`amr up\`, or give its address with --url.`);
    }
    throw error;
  }
}

/** The items of `source` until it ends or the signal aborts. */
export async function* until<T>(
  signal: AbortSignal,
  source: AsyncIterableIterator<T, void, void>,
): AsyncGenerator<T, void, void> {
  const stop = () => void source.return?.();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (!signal.aborted) yield* source;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
