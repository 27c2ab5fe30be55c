import { InvalidArgumentError } from 'commander';

export const DEFAULT_URL = 'http://127.0.0.1:4000/graphql';
export const TOKEN_HELP = 'token of the API (default: AMR_TOKEN, else on this machine that of `amr up`)';

/** Parser of an option that is a whole number. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

/** Parser of an option that is a whole number from -`max` to `max`. */
export function signedNumber(max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^-?\d+$/.test(text) && Math.abs(value) <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from -${max} to ${max}.`);
  };
}

/** Parser of an option that is a JSON object. */
export function jsonObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InvalidArgumentError(`It is not JSON: ${(error as Error).message}`);
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new InvalidArgumentError('It must be a JSON object such as {"address":"2:300.0"}.');
}

/** Parser of the API's address. */
export function apiUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new InvalidArgumentError(`It must be a URL such as ${DEFAULT_URL}.`);
}

/** Parser of an option that may be given several times. */
export function collected(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
