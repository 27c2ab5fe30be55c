import { uuidAt } from '../domain/uuid.js';
import { messageOf } from '../errors.js';
import type { Broker } from '../messaging/broker.js';
import { encode, type NewMeterReadingMessage, type ResultMessage } from '../messaging/contracts.js';
import { newMessageId } from '../messaging/message-id.js';
import type { Logger } from '../telemetry.js';

const MINUTE_MS = 60_000;
const REPORT_EVERY_MS = 10_000;
const REPORT_TIMEOUT_MS = 10_000;
/** A stop waits for no more: what it does not get across, the account takes from the outcomes. */
const LAST_REPORT_TIMEOUT_MS = 2_000;
/** Minutes of organizations in one report. */
const MINUTES_PER_REPORT = 1_000;

/**
 * Readings to be published. The message gets its id with each publish: by it the account tells a message that comes twice from
 * readings that are published twice.
 */
export type UnsentReadings = Omit<NewMeterReadingMessage, 'message_id' | 'published_at' | 'publisher'>;

/** What was published for one organization in one minute. */
interface Minute {
  organization: string;
  /** Milliseconds since the epoch. */
  start: number;
  confirmed: number;
  outstanding: number;
  /** A publish failed, and its message may have arrived all the same: the total of this minute is never final. */
  isUnsure: boolean;
  /** What the last confirmed report said. */
  reported: { readings: number } | undefined;
}

/**
 * Publishes readings and reports how many the broker has confirmed, by organization and minute, so that the account of
 * what became of them can be closed. A report that is not confirmed is made again.
 */
export class ReadingPublisher {
  private readonly publisher = uuidAt();
  private readonly minutes = new Map<string, Minute>();
  private readonly timer: NodeJS.Timeout;
  private reporting: Promise<void> | undefined;
  private lastStamp = 0;

  /** @param everyMs time between reports */
  constructor(
    private readonly broker: Pick<Broker, 'publish'>,
    private readonly log: Logger,
    everyMs = REPORT_EVERY_MS,
  ) {
    this.timer = setInterval(() => void this.report(), everyMs);
    this.timer.unref();
  }

  /** Resolves when the broker has confirmed the message, as `Broker.publish` does. */
  async publish(message: UnsentReadings): Promise<void> {
    // Never back: a clock that is set back would publish into a minute that is closed.
    const now = (this.lastStamp = Math.max(this.lastStamp, Date.now()));
    const minute = this.minuteOf(message.organization, now);
    const body: NewMeterReadingMessage = {
      ...message,
      message_id: newMessageId(),
      published_at: new Date(now).toISOString(),
      publisher: this.publisher,
    };
    minute.outstanding++;
    try {
      await this.broker.publish('readings.new', encode(body), { messageId: body.message_id });
      minute.confirmed += message.readings.length;
    } catch (error) {
      minute.isUnsure = true;
      throw error;
    } finally {
      minute.outstanding--;
    }
  }

  /** The last report, with every minute closed. Call when nothing is being published any more. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.reporting;
    await this.report(true);
  }

  private minuteOf(organization: string, now: number): Minute {
    const start = Math.floor(now / MINUTE_MS) * MINUTE_MS;
    const key = `${organization} ${start}`;
    let minute = this.minutes.get(key);
    if (!minute) {
      minute = { organization, start, confirmed: 0, outstanding: 0, isUnsure: false, reported: undefined };
      this.minutes.set(key, minute);
    }
    return minute;
  }

  private report(isLast = false): Promise<void> {
    this.reporting ??= this.reportChanges(isLast).finally(() => (this.reporting = undefined));
    return this.reporting;
  }

  private async reportChanges(isLast: boolean): Promise<void> {
    const now = Date.now();
    const news: { key: string; minute: Minute; readings: number; isOver: boolean; closed: boolean }[] = [];
    for (const [key, minute] of this.minutes) {
      const isOver = minute.outstanding === 0 && (isLast || now >= minute.start + MINUTE_MS);
      const closed = isOver && !minute.isUnsure;
      const { reported, confirmed: readings } = minute;
      if (isOver || reported?.readings !== readings) news.push({ key, minute, readings, isOver, closed });
    }
    for (let from = 0; from < news.length; from += MINUTES_PER_REPORT) {
      const part = news.slice(from, from + MINUTES_PER_REPORT);
      const message: ResultMessage = {
        type: 'published',
        publisher: this.publisher,
        minutes: part.map(({ minute, readings, closed }) => ({
          organization: minute.organization,
          minute: new Date(minute.start).toISOString(),
          readings,
          closed,
        })),
      };
      try {
        await this.broker.publish('amr.results', encode(message), {
          confirmTimeoutMs: isLast ? LAST_REPORT_TIMEOUT_MS : REPORT_TIMEOUT_MS,
        });
      } catch (error) {
        this.log.warn({ err: messageOf(error) }, 'a report of published readings was not confirmed; it is made again');
        return;
      }
      for (const { key, minute, readings, isOver } of part) {
        minute.reported = { readings };
        if (isOver) this.minutes.delete(key);
      }
    }
  }
}
