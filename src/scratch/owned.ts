/** How each thing is ended that this process made outside of itself, in the order they were made. */
const owned = new Set<() => Promise<void>>();
let ending = false;

/**
 * Call it before making something that must not remain: a process, a database, queues. Returns `dispose` as something
 * that runs once, when it is called or when the command ends, fails or is interrupted. Throws from its end on: nothing is made
 * behind the back of `disposeAll`.
 */
export function own(dispose: () => Promise<void>): () => Promise<void> {
  if (ending) throw new Error('the command is ending');
  let disposed: Promise<void> | undefined;
  const once = () => {
    owned.delete(once);
    return (disposed ??= dispose());
  };
  owned.add(once);
  return once;
}

/** Ends what is left, last made first, and says what could not be ended. */
export async function disposeAll(): Promise<boolean> {
  ending = true;
  let clean = true;
  for (const dispose of [...owned].reverse()) {
    try {
      await dispose();
    } catch (error) {
      console.error('Something could not be removed:', error);
      clean = false;
    }
  }
  return clean;
}
