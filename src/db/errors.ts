/** SQLSTATE of a database error, or of the first one behind it. */
export function sqlState(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/**
 * Whether the same work can succeed later. Only what the data itself brings about fails again: errors of cardinality, of
 * data, of constraints and of limits (SQLSTATE classes 21, 22, 23 and 54), and mistakes in our own code. All else passes with time
 * or with an operator: a connection, a failover to a read-only server, a password, a missing migration, a full disk.
 */
export function isTransient(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError) return false;
  const state = sqlState(error);
  return state === undefined || !/^(21|22|23|54)...$/.test(state);
}
