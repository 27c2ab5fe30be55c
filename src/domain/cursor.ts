/**
 * A place in the stream of committed readings: `taken` readings of the batch at `position` have been passed. Behind the
 * last reading of a batch it is the beginning of the next one, so that a purged batch is not needed to resume after it.
 */
export interface Place {
  readonly position: number;
  readonly taken: number;
}

const BASE = 36;
/** 36^11 > 2^53, the largest position. */
const POSITION_DIGITS = 11;
/** 36^6: more readings than one batch can hold. */
const TAKEN_DIGITS = 6;
const CURSOR = new RegExp(`^[0-9a-z]{${POSITION_DIGITS + TAKEN_DIGITS}}$`);

/** The opaque text of a place. Fixed width, so that cursors compare as strings in the order of the stream. */
export function encodeCursor({ position, taken }: Place): string {
  return position.toString(BASE).padStart(POSITION_DIGITS, '0') + taken.toString(BASE).padStart(TAKEN_DIGITS, '0');
}

/** The place a cursor stands for, or undefined for any text that `encodeCursor` cannot have written. */
export function decodeCursor(cursor: string): Place | undefined {
  if (!CURSOR.test(cursor)) return undefined;
  const position = parseInt(cursor.slice(0, POSITION_DIGITS), BASE);
  const taken = parseInt(cursor.slice(POSITION_DIGITS), BASE);
  return position >= 1 && Number.isSafeInteger(position) ? { position, taken } : undefined;
}
