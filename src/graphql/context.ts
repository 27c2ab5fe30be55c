import type { RawLists } from './raw-lists.js';
import type { Loaders } from './loaders.js';
import type { LiveFeed } from './live-feed.js';
import type { Services } from '../services/index.js';
import type { Identity } from './authenticate.js';

/** What a resolver sees of a request: whose data, the use cases, and this operation's loaders. */
export interface RequestContext extends Identity {
  /** Address the request came from. */
  readonly source?: string;
  readonly services: Services;
  /** One set per operation; in a subscription one per group of events (see event-groups.ts), so that a long stream never serves stale rows. */
  readonly loaders: Loaders;
  readonly live: LiveFeed;
  /**
   * Stands for what may be seen of a reading, where that differs within an organization: answers of subscriptions are shared
   * among those whose audience is the same.
   */
  readonly audience?: string;
  /** Where the client says apart from the operation how far it came: goes before the argument `after`. */
  readonly resumeAfter?: string;
  /** Where the answer is written as text: lists that are at hand as JSON. */
  readonly rawLists?: RawLists;
}
