import { loadConfig, type Config } from '../config.js';

/** What an operator can set of the API's limits. */
export type ApiSettings = Pick<
  Config,
  | 'apiMaxCost'
  | 'apiMaxDepth'
  | 'apiTimeoutMs'
  | 'apiRate'
  | 'apiMaxConnections'
  | 'apiMaxSubscriptions'
  | 'introspection'
  | 'operationsFile'
  | 'onlyPersistedOperations'
>;

/** The settings given, and for the rest their defaults. */
export function apiSettings(given: Partial<ApiSettings>): ApiSettings {
  return { ...loadConfig({}), ...given };
}
