import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import type pg from 'pg';

/** Ends what the server processes with these ids are doing; resolves when it has been told. */
export type CancelBackends = (processIds: readonly number[]) => Promise<void>;

const scopes = new AsyncLocalStorage<QueryScope>();

type Callback = (error: Error | null | undefined, ...rest: unknown[]) => void;

/**
 * The queries of one piece of work, such as a request: those made within `run`, through the pool and through the ORM, however
 * deep. When the work has run out of time, `cancel` ends what runs and refuses what would begin.
 */
export class QueryScope {
  private readonly running = new Set<pg.Client>();
  private reason: Error | undefined;
  private cancelling: Promise<void> = Promise.resolve();

  constructor(private readonly cancelBackends: CancelBackends) {}

  /** The scope that the caller's code runs in. */
  static current(): QueryScope | undefined {
    return scopes.getStore();
  }

  /** Why the work was ended; undefined while it may go on. */
  get endedBy(): Error | undefined {
    return this.reason;
  }

  run<T>(work: () => T): T {
    return scopes.run(this, work);
  }

  /** Every query of the work fails with `reason`, those that run and those to come; a rollback still passes. */
  cancel(reason: Error): Promise<void> {
    this.reason ??= reason;
    const ids = [...this.running].flatMap((client) => processIdOf(client) ?? []);
    if (ids.length > 0) this.cancelling = this.cancelBackends(ids);
    return this.cancelling;
  }

  /** Notes that `client` is busy for this work, until the function returned is called. */
  begin(
    client: pg.Client,
  ): (error: Error | null | undefined, settle: (error: Error | null | undefined) => void) => void {
    this.running.add(client);
    return (error, settle) => {
      // While a cancel is on its way the connection stays with this work: another's next query must not be what it meets.
      const finish = () => {
        this.running.delete(client);
        settle(error && (this.reason ?? error));
      };
      if (this.reason) void this.cancelling.then(finish);
      else finish();
    };
  }
}

/** Queries of this connection belong to the scope they are made in. */
export function makeCancellable(client: pg.Client | pg.PoolClient): void {
  const target = client;
  // Looked up at each call, so that statements can be watched for all connections at once.
  const query = (...args: unknown[]): unknown =>
    (Object.getPrototypeOf(target) as { query: (...args: unknown[]) => unknown }).query.apply(target, args);
  const scoped = (...args: unknown[]): unknown => {
    const scope = QueryScope.current();
    // COPY and the like bring their own protocol; what ends a transaction must never be cut.
    if (!scope || typeof (args[0] as { submit?: unknown } | null)?.submit === 'function' || endsTransaction(args[0]))
      return query(...args);
    const callback = args.findLast((argument): argument is Callback => typeof argument === 'function');
    if (scope.endedBy) return refuse(scope.endedBy, callback);
    const end = scope.begin(target);
    if (callback) {
      const settled: Callback = (error, ...rest) => end(error, (outcome) => callback(outcome, ...rest));
      return query(...args.map((argument) => (argument === callback ? settled : argument)));
    }
    return (query(...args) as Promise<unknown>).then(
      (result) => new Promise((resolve) => end(null, () => resolve(result))),
      (error: Error) => new Promise((_resolve, reject) => end(error, reject)),
    );
  };
  target.query = scoped as typeof target.query;
}

/** A pool calls back from whoever gave a connection back: in that one's scope, were it not bound to the caller's. */
export function keepScopes(pool: pg.Pool): void {
  const connect = pool.connect.bind(pool) as (callback?: Callback) => unknown;
  const bound = (callback?: Callback) => (callback ? connect(AsyncResource.bind(callback)) : connect());
  pool.connect = bound as typeof pool.connect;
}

function refuse(reason: Error, callback: Callback | undefined): Promise<never> | undefined {
  if (!callback) return Promise.reject(reason);
  process.nextTick(callback, reason);
  return undefined;
}

function endsTransaction(query: unknown): boolean {
  const text = typeof query === 'string' ? query : (query as { text?: unknown } | null)?.text;
  return typeof text === 'string' && /^\s*(rollback|commit)\b/i.test(text);
}

/** Public in fact, if not in the types. */
function processIdOf(client: pg.Client): number | undefined {
  const { processID } = client as pg.Client & { processID?: number | null };
  return processID ?? undefined;
}
