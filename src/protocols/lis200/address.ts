/** An object of a LIS200 device, `instance:object[_subindex].attribute`. */
export interface Address {
  /** Decimal number without leading zeros. */
  instance: string;
  /** Upper-case hexadecimal text without leading zeros, with its subindex, such as `302` or `310_1`; `V` is an archive. */
  object: string;
  /** One character; `0` is the value. */
  attribute: string;
}

/** No address is longer; a limit because padding makes the pattern's time grow with the square of the length. */
const MAX_CHARACTERS = 40;
const ADDRESS = /^(?:[0-9A-Z]+-)?0*(\d+):0*([0-9A-Z]+(?:_[0-9A-Z]+)?)(?:\.([0-9A-Z]))?$/i;

/**
 * Parses any spelling that users and devices write: `2:302`, `2:302.0`, `7-2:302.2`, `0002:0302.0`. A medium prefix is
 * dropped, as it does not tell objects apart. Undefined when `text` is not an address.
 */
export function parseAddress(text: string): Address | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const [, instance, object, attribute = '0'] = ADDRESS.exec(text.trim()) ?? [];
  if (instance === undefined || object === undefined) return undefined;
  return { instance, object: object.toUpperCase(), attribute: attribute.toUpperCase() };
}

/** How the address is sent. The attribute may be left out on some firmware only, so it is always there. */
export function wireAddress(address: Address): string {
  return `${objectName(address)}.${address.attribute}`;
}

/** Name of the object without attribute, such as `2:302`: one spelling per object, and the name of its series. */
export function objectName({ instance, object }: Address): string {
  return `${instance}:${object}`;
}

/** Whether `echo` may stand in the answer to `asked`: devices change prefix, padding and attribute, or send none. */
export function isEchoOf(asked: Address, echo: string): boolean {
  if (echo === '') return true;
  const echoed = parseAddress(echo);
  return echoed !== undefined && objectName(echoed) === objectName(asked);
}
