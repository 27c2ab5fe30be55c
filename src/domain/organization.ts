/** The tenant of an installation that has not made others; created by the first migration. */
export const DEFAULT_ORGANIZATION_ID = '00000000-0000-7000-8000-000000000001';
