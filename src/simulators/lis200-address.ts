import { ErrorTelegram } from './error-telegram.js';

/** `[medium-]instance:object[_subindex].attribute(data)`, the data set of every read and write command. */
export interface DataSet {
  /** Normalised `instance:object[_subindex]`: no medium, no leading zeros, upper case. */
  object: string;
  /** One character; `0` is the value. */
  attribute: string;
  data: string;
  /** The address as it was sent. */
  sent: string;
}

const DATA_SET = /^((?:\d{1,3}-)?0*(\d{1,4}):0*([0-9A-F]{1,4}|V)(_\d{1,3})?(?:\.([0-9A-Z]))?)\(([^()]*)\)$/i;

/** @throws ErrorTelegram 200 when `text` has no data in parentheses, 1 when it has but the address is none. */
export function parseDataSet(text: string): DataSet {
  const match = DATA_SET.exec(text);
  if (!match) throw new ErrorTelegram(/^[^()]+\([^()]*\)$/.test(text) ? 'unknownAddress' : 'syntax');
  const [, sent = '', instance = '', object = '', subindex = '', attribute = '0', data = ''] = match;
  return { object: `${instance}:${object}${subindex}`.toUpperCase(), attribute: attribute.toUpperCase(), data, sent };
}
