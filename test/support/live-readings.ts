import type { GraphqlClient } from '../../src/graphql/client.js';
import { MeterReadingAddedDocument } from '../../src/graphql/generated/graphql.js';
import { pause } from '../../src/retry.js';

/** Pause before a subscription that the API ended is opened again. */
const RESUME_MS = 200;

/** A client that follows all readings from its start on and resumes by its cursor whatever happens, until it is stopped. */
export class LiveReadings {
  /** `meter series time` → value. */
  readonly values = new Map<string, string>();
  /** Keys that were announced more than once. */
  readonly repeats: string[] = [];
  /** Connections that were lost, and subscriptions that the API ended. */
  disconnects = 0;
  private readonly stopping = new AbortController();
  private readonly following: Promise<void>;
  private events: AsyncIterableIterator<unknown, void, void> | undefined;
  private cursor: string | undefined;

  constructor(private readonly client: GraphqlClient) {
    this.following = this.follow();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.events?.return?.();
    await this.following;
  }

  private async follow(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const onDisconnect = () => this.disconnects++;
      const variables = () => ({ after: this.cursor });
      const events = this.client.subscribe(MeterReadingAddedDocument, variables, { onDisconnect });
      this.events = events;
      try {
        for await (const { meterReadingAdded: reading } of events) {
          const key = `${reading.meterDevice.name} ${reading.series} ${reading.timestamp}`;
          if (this.values.has(key)) this.repeats.push(key);
          this.values.set(key, reading.value);
          this.cursor = reading.cursor ?? undefined;
        }
      } catch {
        this.disconnects++;
      }
      await pause(RESUME_MS, signal);
    }
  }
}
