/**
 * Time as the meter shows it: local wall time without zone. Internally it is milliseconds whose UTC fields are the local
 * ones; the meters keep a fixed offset (1:407 = 0, no daylight saving), so it never repeats or jumps.
 */
const SHOWN = /^(\d{4})-(\d\d)-(\d\d), ?(\d\d):(\d\d):(\d\d)$/;

/** `2026-01-31,12:00:05` */
export function formatDeviceTime(localMs: number): string {
  return new Date(localMs).toISOString().slice(0, 19).replace('T', ',');
}

/** Undefined for anything that is no such date and time. A blank after the comma is accepted, as devices do. */
export function parseDeviceTime(text: string): number | undefined {
  const match = SHOWN.exec(text);
  if (!match) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  const localMs = Date.UTC(year, month - 1, day, hour, minute, second);
  // Date.UTC carries 31 April over into May; the text would then come out different.
  return formatDeviceTime(localMs) === text.replace(', ', ',') ? localMs : undefined;
}
