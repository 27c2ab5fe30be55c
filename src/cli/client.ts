import { createClient, GraphqlRequestError, type GraphqlClient } from '../graphql/client.js';
import { ConnectionLostError } from '../graphql/client-subscription.js';
import { loadConfig } from '../config.js';
import { readAdminToken } from '../embedded/admin-token.js';
import { isLoopback } from '../loopback.js';
import { CommandError, EXIT, type CliIo } from './io.js';

interface ApiOptions {
  url: string;
  token?: string | undefined;
}

/** Runs `work` with a client of the API; what the API answers or does not answer becomes an exit code and a message. */
export async function withClient(
  options: ApiOptions,
  io: CliIo,
  work: (client: GraphqlClient) => Promise<void>,
): Promise<void> {
  const { url } = options;
  try {
    await work(createClient({ url, token: tokenOf(options, io) }));
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

/** The token that a command sends: that of `amr up` goes to this machine only. */
export function tokenOf({ url, token }: ApiOptions, io: CliIo): string | undefined {
  const config = loadConfig(io.env);
  return token ?? config.token ?? (isLoopback(new URL(url).hostname) ? readAdminToken(config.dataDir) : undefined);
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
