import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HIDDEN, sentenceWithoutSecrets, withoutSecrets } from '../../src/domain/secrets.js';

const KEYS = [
  'password',
  'Password',
  'client_secret',
  'token',
  'credentials',
  'sealed_credentials',
  'private_key',
  'API-Key',
];
const SECRET = 'hunter2-S3CR3T';

const key = fc.tuple(fc.string(), fc.constantFrom(...KEYS), fc.string()).map((parts) => parts.join(' '));
const secret = fc.oneof(
  fc.constant(SECRET),
  fc.string().map((text) => text + SECRET + text),
  fc.jsonValue().map((value) => ({ deep: [value, SECRET] })),
);
/** A JSON value in which a secret is planted somewhere under such a key. */
const planted = fc
  .tuple(fc.jsonValue(), key, secret, fc.array(fc.oneof(fc.string(), fc.constant(undefined)), { maxLength: 5 }))
  .map(([beside, name, value, path]) =>
    path.reduce<unknown>(
      (inner, step) => (step === undefined ? [beside, inner, beside] : { before: beside, [step]: inner }),
      { beside, [name]: value },
    ),
  );
const HARMLESS = /passw|passphrase|secret|token|credential|private|api.?key|authorization/i;

describe('a text without secrets', () => {
  it('holds none that was planted anywhere under such a key, and is still JSON', () => {
    fc.assert(
      fc.property(planted, fc.constantFrom(undefined, 2, '\t'), (value, indent) => {
        const { text, secrets } = withoutSecrets(JSON.stringify(value, null, indent));
        expect(text).not.toContain(SECRET);
        expect(secrets.join()).toContain(SECRET);
        JSON.parse(text);
        expect(withoutSecrets(text)).toEqual({ text, secrets: [] });
      }),
    );
  });

  it('holds none where JSON is text in JSON, or is cut', () => {
    fc.assert(
      fc.property(planted, fc.constantFrom(...KEYS), fc.jsonValue(), fc.nat(), (value, name, beside, cut) => {
        const json = JSON.stringify(value);
        const inner = JSON.stringify({ a: { [name]: [SECRET, beside] }, [name]: `x"${SECRET}` });
        expect(withoutSecrets(JSON.stringify({ body: inner })).text).not.toContain(SECRET);
        expect(withoutSecrets(json.slice(0, json.length - (cut % 20))).text).not.toContain(SECRET);
      }),
    );
  });

  it('is unchanged where there is none', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string({ unit: 'binary' })), (text) => {
        fc.pre(
          !HARMLESS.test(
            text.replace(/\\u([0-9a-f]{4})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16))),
          ),
        );
        expect(withoutSecrets(text)).toEqual({ text, secrets: [] });
      }),
    );
  });

  it('keeps numbers, spaces and repeated keys as they were', () => {
    const text = '{ "v": 1.0, "password" : {"a":["]}\\"",2]},"v":9007199254740993 , "\\u0070assword":-1.5e3}';
    expect(withoutSecrets(text).text).toBe(
      `{ "v": 1.0, "password" : "${HIDDEN}","v":9007199254740993 , "\\u0070assword":"${HIDDEN}"}`,
    );
  });

  it.each([
    ['malformed', `x" {"password":"${SECRET}", "a": `],
    ['cut in the secret', `{"a":1,"token":"${SECRET}`],
    ['without quotes', `{"password": ${SECRET}}`],
  ])('finds a key in JSON that is %s', (_title, text) => {
    expect(withoutSecrets(text).text).not.toContain(SECRET);
  });
});

it.each([
  ['quotes', `"token":"a","${'\\"'.repeat(1_000_000)}`],
  ['backslashes', `"token":"a",${'\\'.repeat(2_000_000)}`],
  ['brackets', `"token":${'[{'.repeat(1_000_000)}`],
  ['keys', '"token":1,'.repeat(200_000)],
  ['letters', `{"token":"${'x'.repeat(4_000_000)}"}`],
])('takes no long time for millions of %s', { timeout: 60_000 }, (_title, text) => {
  // Square in the length it would take hours.
  expect(withoutSecrets(text).text.length).toBeLessThanOrEqual(2 * text.length);
  expect(sentenceWithoutSecrets(text).length).toBeLessThanOrEqual(2 * text.length);
});

describe('a sentence without secrets', () => {
  it.each([
    [`the broker said password=${SECRET}, try again`],
    [`access token: "${SECRET}" is not known`],
    [`calls.0: {\\"password\\": \\"${SECRET}\\"} is too much`],
  ])('%j', (sentence) => {
    expect(sentenceWithoutSecrets(sentence)).not.toContain(SECRET);
  });

  it('does not quote a part of a body that held one', () => {
    const body = `{"password": ${SECRET}}`;
    let reason = '';
    try {
      JSON.parse(body);
    } catch (error) {
      reason = (error as Error).message;
    }
    const { secrets } = withoutSecrets(body);
    expect(sentenceWithoutSecrets(`not JSON: ${reason}`, secrets)).not.toMatch(/hunter|S3CR/);
    expect(sentenceWithoutSecrets(`value ${SECRET} is wrong`, secrets)).toBe(`value ${HIDDEN} is wrong`);
  });

  it('is unchanged where there is none', () => {
    const reason = 'readings.3.timestamp: "2026-11-01T02:00:00" is not ISO 8601 text with an offset';
    expect(sentenceWithoutSecrets(reason)).toBe(reason);
  });
});
