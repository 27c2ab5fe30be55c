const STAMP = /^(\d{4})-(\d{2})-(\d{2}), ?(\d{2}):(\d{2}):(\d{2})$/;

/**
 * Parses a device's local time `YYYY-MM-DD,HH:MM:SS`, with or without a blank after the comma. The result counts
 * milliseconds as if the wall clock showed UTC; a `MeterZone` turns it into an instant. Undefined for anything else,
 * also for days that do not exist and for the `0000-00-00` of an empty cell.
 */
export function parseMeterTime(text: string): number | undefined {
  const match = STAMP.exec(text.trim());
  if (!match) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const wallMs = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC carries over: 31 April would become 1 May.
  return formatMeterTime(wallMs) === text.trim().replace(', ', ',') ? wallMs : undefined;
}

/** The text a device expects for a wall-clock time, cut to whole seconds. */
export function formatMeterTime(wallMs: number): string {
  return new Date(Math.floor(wallMs / 1000) * 1000).toISOString().slice(0, 19).replace('T', ',');
}
