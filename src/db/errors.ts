/** SQLSTATE of a database error, or of the first one behind it. */
export function sqlState(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/** Name of the constraint a database error was about. */
export function violatedConstraint(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'constraint' in error && typeof error.constraint === 'string'
    ? error.constraint
    : undefined;
}

/**
 * Whether the same statement can succeed later: connection trouble (08, network errors), the server out of resources
 * (53), stopping or starting (57P), a serialization failure or deadlock (40), a lock that was not free (55P03), a full
 * disk (58). Everything else is about the data or the statement and fails again.
 */
export function isTransient(error: unknown): boolean {
  const state = sqlState(error);
  if (state === undefined) return error instanceof Error && /connection|terminated|timeout/i.test(error.message);
  return /^(08|40|53|57|58)/.test(state) || state === '55P03' || /^E[A-Z]+$/.test(state);
}
