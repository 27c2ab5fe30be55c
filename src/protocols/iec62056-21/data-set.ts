/** One `address(value*unit)` of IEC 62056-21 clause 6.6. Values stay text. */
export interface DataSet {
  /** Empty when neither the set nor one before it has an address. */
  readonly address: string;
  readonly value: string;
  readonly unit?: string;
}

/**
 * The data sets of one line. A set without an address belongs to the last one before it, also across lines: pass that
 * as `address`. Text that is not in a set is skipped; values longer than the standard allows are taken.
 */
export function parseDataLine(line: string, address = ''): DataSet[] {
  const sets: DataSet[] = [];
  let current = address;
  for (let at = 0; ;) {
    const open = line.indexOf('(', at);
    const close = open < 0 ? -1 : line.indexOf(')', open);
    if (close < 0) return sets;
    current = line.slice(at, open).trim() || current;
    const content = line.slice(open + 1, close);
    // A value may hold an asterisk in the field: the unit is what follows the last one.
    const star = content.lastIndexOf('*');
    sets.push(
      star < 0
        ? { address: current, value: content }
        : { address: current, value: content.slice(0, star), unit: content.slice(star + 1) },
    );
    at = close + 1;
  }
}

/** The lines of a data block, without empty ones and the `!` that ends a readout. */
export function parseDataBlock(text: string): DataSet[][] {
  const lines: DataSet[][] = [];
  let address = '';
  for (const line of text.split(/\r?\n/)) {
    const sets = parseDataLine(line, address);
    if (sets.length > 0) lines.push(sets);
    address = sets.at(-1)?.address ?? address;
  }
  return lines;
}

/** They delimit addresses, values and units; control characters, not listed, frame messages. */
const DELIMITERS = '()*/!\x7f';

/** Whether `text` can be sent as the address, value or unit of a data set. */
export function isDataSetText(text: string): boolean {
  return [...text].every((character) => character >= ' ' && !DELIMITERS.includes(character));
}

/** Text of a data set. Throws `RangeError` when a part holds a reserved character: it would change the command. */
export function formatDataSet({ address, value, unit }: DataSet): string {
  for (const part of [address, value, unit ?? '']) {
    if (!isDataSetText(part)) throw new RangeError('a data set cannot hold ( ) * / ! or control characters');
  }
  return `${address}(${value}${unit === undefined ? '' : `*${unit}`})`;
}
