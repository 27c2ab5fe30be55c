import { InputError } from '../errors.js';

/** Zones of one file show few different times; with this many they are looked up anew. */
const MAX_REMEMBERED = 200_000;

/**
 * Reader of wall times in `zone` (IANA name, or UTC) such as `2013-10-27 01:30:00`: milliseconds since the epoch. A time that
 * occurs twice is taken as the first; undefined for text that is no time, or for a time that was left out.
 */
export function wallTimeReader(zone: string): (text: string) => number | undefined {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-CA', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
  } catch {
    throw new InputError('BAD_USER_INPUT', `--zone ${zone} is no time zone; name one such as UTC or Europe/London.`);
  }
  const remembered = new Map<string, number | undefined>();
  /** What a clock on the wall shows at an instant, as if it were UTC. */
  const shown = (instant: number) => {
    const part = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(part.year!, part.month! - 1, part.day, part.hour, part.minute, part.second);
  };
  const read = (text: string) => {
    const match = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.0+)?)?$/.exec(text);
    if (!match) return undefined;
    const [year, month, day, hour, minute, second = 0] = match.slice(1).map((digits) => Number(digits ?? 0));
    const wall = Date.UTC(year!, month! - 1, day, hour, minute, second);
    if (new Date(wall).getUTCDate() !== day) return undefined;
    // The offsets a day before and after are those that may apply; the greater one is the earlier instant.
    const offsets = [-86_400_000, 86_400_000].map((away) => shown(wall + away) - (wall + away));
    const instants = offsets.sort((a, b) => b - a).map((offset) => wall - offset);
    return instants.find((instant) => shown(instant) === wall);
  };
  return (text) => {
    if (remembered.has(text)) return remembered.get(text);
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    const instant = read(text);
    remembered.set(text, instant);
    return instant;
  };
}
