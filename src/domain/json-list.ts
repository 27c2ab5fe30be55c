/** A list that is also at hand as JSON: whoever answers with it as it is need not look at each item. */
export interface JsonList<T> extends Iterable<T> {
  readonly length: number;
  /** Its items as JSON, separated by commas, without brackets. */
  readonly items: string;
}

/** A list of texts without commas and quotes, such as numbers, from these texts separated by commas. */
export function plainTexts(joined: string, length: number): JsonList<string> {
  return {
    length,
    items: length === 0 ? '' : `"${joined.replaceAll(',', '","')}"`,
    [Symbol.iterator]: () => (length === 0 ? [] : joined.split(','))[Symbol.iterator](),
  };
}

/** Any texts. */
export function texts(list: readonly string[]): JsonList<string> {
  return {
    length: list.length,
    items: JSON.stringify(list).slice(1, -1),
    [Symbol.iterator]: () => list[Symbol.iterator](),
  };
}

/** So many empty texts. */
export function emptyTexts(length: number): JsonList<string> {
  return {
    length,
    items: length === 0 ? '' : `${'"",'.repeat(length - 1)}""`,
    [Symbol.iterator]: () => new Array<string>(length).fill('')[Symbol.iterator](),
  };
}

const DAY_MS = 86_400_000;

/** Instants of UTC with milliseconds, as `Date.prototype.toISOString` writes them. */
export function instants(at: readonly number[]): JsonList<Date> {
  return {
    length: at.length,
    items: at.length === 0 ? '' : isoTexts(at),
    *[Symbol.iterator]() {
      for (const ms of at) yield new Date(ms);
    },
  };
}

/** Readings of a day share their date and those of a minute most of the rest: `toISOString` for each would cost ten times as much. */
function isoTexts(at: readonly number[]): string {
  let text = '';
  let day = NaN;
  let date = '';
  for (const ms of at) {
    const thatDay = Math.floor(ms / DAY_MS);
    if (thatDay !== day) {
      day = thatDay;
      date = new Date(ms).toISOString().slice(0, -'00:00:00.000Z'.length);
    }
    text += `${text === '' ? '"' : ',"'}${date}${clockText(ms - thatDay * DAY_MS)}Z"`;
  }
  return text;
}

/** Most readings lie on a grid: of quarter-hours a day has 96. */
const MAX_CLOCK_TEXTS = 10_000;
const clockTexts = new Map<number, string>();

/** Milliseconds of a day as `09:00:00.000`. */
function clockText(ms: number): string {
  let text = clockTexts.get(ms);
  if (text === undefined) {
    text = new Date(ms).toISOString().slice('1970-01-01T'.length, -1);
    if (clockTexts.size >= MAX_CLOCK_TEXTS) clockTexts.clear();
    clockTexts.set(ms, text);
  }
  return text;
}
