import { daysInMonth, parseInstant } from '../domain/instant.js';

/** What a cell says of a time: an instant, or a time of a clock, both in milliseconds. */
export type Stamp = { instantMs: number } | { wallMs: number };
export type StampParser = (text: string) => Stamp | undefined;

const PARTS = { YYYY: '\\d{4}', MM: '\\d{2}', DD: '\\d{2}', HH: '\\d{2}', mm: '\\d{2}', ss: '\\d{2}' } as const;
type Part = keyof typeof PARTS;
const TOKENS = /YYYY|MM|DD|HH|mm|ss|\[|\]|[^[\]]/g;
const REQUIRED: readonly Part[] = ['YYYY', 'MM', 'DD', 'HH', 'mm'];

/** Seconds since the epoch up to the year 9999, which tells them from milliseconds. */
const MAX_UNIX_SECONDS = 253_402_300_799;

/**
 * The parser of a time format: `iso` (with offset), `unix` (seconds), or a pattern of a local time such as
 * `DD-MM-YYYY HH:mm[:ss]`, where brackets hold what may be missing. Throws `RangeError` for a pattern that tells no time.
 */
export function stampParser(format: string): StampParser {
  if (format === 'iso') return parseIso;
  if (format === 'unix') return parseUnix;
  const parts: Part[] = [];
  const tokens = format.match(TOKENS) ?? [];
  const source = tokens.map((token) => {
    if (token === '[') return '(?:';
    if (token === ']') return ')?';
    if (!(token in PARTS)) return token.replace(/[\\^$.*+?(){}|]/g, '\\$&');
    parts.push(token as Part);
    return `(${PARTS[token as Part]})`;
  });
  const missing = REQUIRED.filter((part) => !parts.includes(part));
  const count = (bracket: string) => tokens.filter((token) => token === bracket).length;
  if (missing.length > 0 || new Set(parts).size !== parts.length || count('[') !== count(']')) {
    throw new RangeError(`${JSON.stringify(format)} must have each of YYYY, MM, DD, HH, mm once, ss at most once`);
  }
  const pattern = new RegExp(`^${source.join('')}$`);
  return (text) => {
    const match = pattern.exec(text);
    if (!match) return undefined;
    const of = (part: Part) => Number(match[parts.indexOf(part) + 1] ?? 0);
    return wallTime(of('YYYY'), of('MM'), of('DD'), of('HH'), of('mm'), parts.includes('ss') ? of('ss') : 0);
  };
}

function parseIso(text: string): Stamp | undefined {
  const instantMs = parseInstant(text);
  return instantMs === undefined ? undefined : { instantMs };
}

function parseUnix(text: string): Stamp | undefined {
  const seconds = Number(text);
  return /^\d{1,12}$/.test(text) && seconds <= MAX_UNIX_SECONDS ? { instantMs: seconds * 1000 } : undefined;
}

/** Undefined for a day or an hour that does not exist: Date.UTC would turn 31 April into 1 May. */
function wallTime(year: number, month: number, day: number, hour: number, minute: number, second: number) {
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return undefined;
  if (day > daysInMonth(year, month)) return undefined;
  return { wallMs: Date.UTC(year, month - 1, day, hour, minute, second) };
}
