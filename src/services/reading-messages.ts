import type { CallOutcome, CollectedReading } from '../execution/execution-context.js';
import type { PollSessionMessage, ReadingItem } from '../messaging/contracts.js';
import type { UnsentReadings } from './reading-publisher.js';

/** Readings in one message, at most; a longer archive is split. */
const READINGS_PER_MESSAGE = 1_000;

/** What a call read, as it goes to the ingesters: none for none. */
export function readingMessages(session: PollSessionMessage, outcome: CallOutcome): UnsentReadings[] {
  const collectedAt = new Date().toISOString();
  const messages: UnsentReadings[] = [];
  for (let from = 0; from < outcome.readings.length; from += READINGS_PER_MESSAGE) {
    messages.push({
      version: 1,
      organization: session.organization,
      meter_device: session.meter.id,
      origin: session.origin,
      task_run: outcome.runId,
      collected_at: collectedAt,
      readings: outcome.readings.slice(from, from + READINGS_PER_MESSAGE).map(toItem),
    });
  }
  return messages;
}

function toItem(reading: CollectedReading): ReadingItem {
  return {
    series: reading.series,
    timestamp: new Date(reading.measuredAt).toISOString(),
    value: reading.value,
    unit: reading.unit,
    status: reading.status || undefined,
  };
}
