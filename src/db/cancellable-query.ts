import type pg from 'pg';

/**
 * A query that ends when nobody waits for it any more: the server is told to cancel it, and the connection goes back to the
 * pool only then, so that no other query is cancelled in its place.
 */
export async function cancellableQuery<R extends pg.QueryResultRow>(
  pool: pg.Pool,
  signal: AbortSignal,
  text: string,
  values: unknown[],
): Promise<R[]> {
  signal.throwIfAborted();
  const client = await pool.connect();
  let cancelled: Promise<unknown> | undefined;
  const cancel = () => {
    const { processID } = client as pg.PoolClient & { processID: number };
    cancelled = pool.query('select pg_cancel_backend($1)', [processID]).catch(() => undefined);
  };
  signal.addEventListener('abort', cancel, { once: true });
  let broken: Error | undefined;
  try {
    return (await client.query<R>(text, values)).rows;
  } catch (error) {
    signal.throwIfAborted();
    // A connection whose state is not known, or an error of the statement alone: the first is not used again.
    if (!(error instanceof Error && 'severity' in error)) broken = error as Error;
    throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
    await cancelled;
    client.release(broken);
  }
}
