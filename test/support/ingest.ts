import { loadConfig } from '../../src/config.js';
import type { IngestSettings } from '../../src/services/ingest/ingester.js';

/** The settings of an ingester as they are by default, with what a test needs other. */
export function ingestSettings(changes: Partial<IngestSettings> = {}): IngestSettings {
  return { ...loadConfig({}), ...changes };
}
