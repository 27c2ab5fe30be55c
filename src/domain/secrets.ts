/** Characters of a sentence that are looked at; it ends there. */
const MAX_SENTENCE = 2_000;

/** What stands in the place of a secret. */
export const HIDDEN = '(hidden)';

/** Most texts hold nothing of the kind, and that is cheap to see. A backslash may hide letters of a key. */
const SUSPECT = /passw|passphrase|secret|token|credential|private|api.?key|authorization|\\u/i;
const SECRET_KEY = /password|passwd|passphrase|secret|token|credential|privatekey|apikey|authorization/;

/** A key as a quotation in JSON, or in JSON that is itself text in JSON: both of its quotes have as many backslashes. */
const QUOTED_KEY = /(?<!\\)(\\*)"((?:[^"\\]|\\+(?!["\\]))*)\1"\s*:\s*/g;
/** As people and error messages write it: `password=…`, `token: …`. */
const PLAIN_KEY =
  /[\w-]*(?:passw|passphrase|secret|token|credential|private_?key|api_?key|authorization)[\w-]*\s*[:=]\s*/gi;

export interface WithoutSecrets {
  text: string;
  /** What was taken out, as it stood there. */
  secrets: string[];
}

/**
 * Replaces every value under a key such as `password`, `sealed_credentials` or `private_key`, at any depth of a JSON text,
 * also one that is cut or malformed, or quoted in another. Everything else stays byte for byte. What was hidden before
 * stays as it is, so that a text without secrets comes back unchanged.
 */
export function withoutSecrets(text: string): WithoutSecrets {
  if (!SUSPECT.test(text)) return { text, secrets: [] };
  // Well-formed JSON is read exactly. The search afterwards finds keys where counting quotes leads astray.
  const exact = replaceValues(text, keysOf(text));
  const rest = replaceValues(exact.text, found(exact.text, QUOTED_KEY));
  return { text: rest.text, secrets: [...exact.secrets, ...rest.secrets] };
}

/** Also values behind plain keys, and every mention of `secrets`: for a sentence that may quote what it is about. */
export function sentenceWithoutSecrets(sentence: string, secrets: readonly string[] = []): string {
  const quoted = withoutSecrets(sentence.slice(0, MAX_SENTENCE)).text;
  let plain = replaceValues(quoted, found(quoted, PLAIN_KEY)).text;
  if (secrets.length === 0) return plain;
  // Parsers quote where they failed, cut anywhere: part of a secret is a secret.
  plain = plain.replace(/["'`][^]*["'`]/, `"${HIDDEN}"`);
  for (const secret of secrets) {
    const bare = secret.replace(/^\\*"|\\*"$/g, '');
    if (bare !== '') plain = plain.replaceAll(bare, HIDDEN);
  }
  return plain;
}

interface Key {
  name: string;
  /** Where its value begins. */
  value: number;
  /** Backslashes before each quote. */
  escape: string;
}

/** Every key of a JSON text. By hand: an expression takes quadratic time on quotes that nothing closes. */
function* keysOf(text: string): Generator<Key> {
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at)) {
    const start = at + 1;
    at = endOfString(text, start, '');
    const colon = /\s*:\s*/y;
    colon.lastIndex = at;
    if (colon.test(text)) yield { name: text.slice(start, at - 1), value: colon.lastIndex, escape: '' };
  }
}

function* found(text: string, pattern: RegExp): Generator<Key> {
  for (const match of text.matchAll(pattern)) {
    const [whole, escape = '', name = whole] = match;
    yield { name, value: match.index + whole.length, escape };
  }
}

function replaceValues(text: string, keys: Iterable<Key>): WithoutSecrets {
  const secrets: string[] = [];
  let kept = '';
  let from = 0;
  for (const { name, value, escape } of keys) {
    if (value < from || !isSecretKey(name)) continue;
    const end = endOfValue(text, value, escape);
    const hidden = `${escape}"${HIDDEN}${escape}"`;
    const found = text.slice(value, end);
    if (found === hidden || found === HIDDEN || found === '') continue;
    secrets.push(found);
    kept += text.slice(from, value) + hidden;
    from = end;
  }
  return { text: kept + text.slice(from), secrets };
}

function isSecretKey(name: string): boolean {
  const plain = name.replace(/\\+u([0-9a-f]{4})/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
  return SECRET_KEY.test(plain.toLowerCase().replace(/[^a-z]/g, ''));
}

/** Where the value at `start` ends; the end of the text for one that is cut. */
function endOfValue(text: string, start: number, escape: string): number {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const quote = text.startsWith(`${escape}"`, at);
    if (quote) at = endOfString(text, at + escape.length + 1, escape);
    else if ('{['.includes(text[at]!)) {
      depth++;
      at++;
    } else if ('}]'.includes(text[at]!)) {
      if (depth === 0) return at;
      depth--;
      at++;
    } else if (depth === 0) {
      // A number or a word; or the rest of a string that nothing opens.
      const word = /[^,}\]\s"\\]+/y;
      word.lastIndex = at;
      return word.test(text) ? word.lastIndex : Math.max(at, start);
    } else at++;
    if (depth === 0) return at;
  }
  return text.length;
}

function endOfString(text: string, start: number, escape: string): number {
  for (let at = start; at < text.length; at++) {
    let slashes = 0;
    while (text[at + slashes] === '\\') slashes++;
    const closes = slashes === escape.length || (escape === '' && slashes % 2 === 0);
    if (text[at + slashes] === '"' && closes) return at + slashes + 1;
    at += slashes;
  }
  return text.length;
}
