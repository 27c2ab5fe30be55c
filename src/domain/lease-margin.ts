/** Added to a lease for clocks and messages under way, in milliseconds. */
export const LEASE_MARGIN_MS = 15_000;

/**
 * Longest time from the moment a poller reports that it begins a session to the begin itself. The lease counts from the
 * booking of that report: a session that begins within this time ends by its cap before its lease does.
 */
export const BEGIN_WITHIN_MS = LEASE_MARGIN_MS / 2;
