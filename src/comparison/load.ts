/** A reading of the load, before it is part of a message. */
export interface LoadReading {
  /** Index into the meters of the load. */
  meter: number;
  /** Milliseconds since the epoch. */
  measuredAt: number;
  /** Decimal text. */
  value: string;
}

/** Readings to be ingested, in the order of time, of the meters named. */
export interface ReadingSource {
  meters: string[];
  readings: LoadReading[];
  /** Seconds from one reading of a meter to its next. */
  intervalSeconds: number;
  /** Where they come from, for the report. */
  description: string;
}

/** A message that a publisher made, or one that is wrong on purpose. */
export interface LoadMessage {
  messageId: string;
  /** Empty for poison. */
  readings: readonly LoadReading[];
  /** Body of a message that must be dead-lettered. */
  poison?: string;
}

/** What was done to the order of the messages, and put between them. Counts of messages. */
export interface Disturbances {
  shuffled: number;
  duplicates: number;
  late: number;
  poison: number;
}

/** What is published to each strategy, in this order. */
export interface Load {
  meters: readonly string[];
  series: string;
  unit: string;
  messages: readonly LoadMessage[];
  disturbances: Disturbances;
}

/** Readings that become of these messages: one for each wrong message. */
export function countReadings(messages: readonly LoadMessage[]): number {
  return messages.reduce((sum, { readings, poison }) => sum + (poison === undefined ? readings.length : 1), 0);
}
