/** A list that is also at hand as JSON: whoever answers with it as it is need not look at each item. */
export interface JsonList<T> extends Iterable<T> {
  readonly length: number;
  /** Its items as JSON, separated by commas, without brackets. */
  readonly items: string;
}

/** A list of texts that mean the same in JSON and out of it, such as numbers and codes. */
export function plainTexts(texts: readonly string[]): JsonList<string> {
  return {
    length: texts.length,
    items: texts.length === 0 ? '' : `"${texts.join('","')}"`,
    [Symbol.iterator]: () => texts[Symbol.iterator](),
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
    const rest = ms - thatDay * DAY_MS;
    const seconds = Math.floor(rest / 1000);
    const minutes = Math.floor(seconds / 60);
    text += `${text === '' ? '"' : ',"'}${date}${TWO[Math.floor(minutes / 60)]!}:${TWO[minutes % 60]!}:${TWO[seconds % 60]!}.${three(rest % 1000)}Z"`;
  }
  return text;
}

const TWO = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, '0'));

function three(value: number): string {
  return value === 0 ? '000' : String(value).padStart(3, '0');
}
