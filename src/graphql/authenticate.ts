import { DEFAULT_ORGANIZATION_ID } from '../domain/organization.js';

/** On whose behalf a request is carried out. */
export interface Identity {
  /** The only organization whose data the request can see or change. */
  readonly organizationId: string;
}

/**
 * Who sends a request: the one place that decides it, for HTTP and WebSocket alike. The API serves a single
 * organization and listens on loopback unless told otherwise; it knows no tokens yet.
 */
export function authenticate(): Identity {
  return { organizationId: DEFAULT_ORGANIZATION_ID };
}
