/**
 * Runs `tasks` until all have returned. When one throws, the others are told to stop and waited for, and then it is
 * thrown: nothing goes on behind the back of a caller that gives up what the tasks rely on, such as a lock.
 */
export async function sideBySide(
  signal: AbortSignal,
  ...tasks: ((signal: AbortSignal) => Promise<void>)[]
): Promise<void> {
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const failures: unknown[] = [];
  await Promise.all(
    tasks.map((task) =>
      task(stop.signal).catch((error: unknown) => {
        failures.push(error);
        stop.abort();
      }),
    ),
  );
  signal.removeEventListener('abort', onAbort);
  if (failures.length > 0) throw failures[0];
}
