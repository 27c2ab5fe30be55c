import { expect, it } from 'vitest';
import { findSecrets, formsOf } from '../support/secret-search.js';

const SECRET = 'OpenSesame42';

it.each([
  ['plain text', `{"password":"${SECRET}"}`],
  ['hexadecimal digits', Buffer.from(`x${SECRET}y`).toString('hex').toUpperCase()],
  ...[0, 1, 2].map((before) => [
    `base64 behind ${before} characters`,
    Buffer.from(`${'x'.repeat(before)}${SECRET}yyy`).toString('base64'),
  ]),
])('finds a secret in %s', (_title, text) => {
  expect(findSecrets({ log: ['nothing', text] }, { password: SECRET })).not.toEqual([]);
});

it('finds none where there is none, and does not show the one it finds', () => {
  expect(findSecrets({ log: ['OpenSesame41'] }, { password: SECRET })).toEqual([]);
  expect(findSecrets({ log: [`password ${SECRET}`] }, { password: SECRET })).toEqual([
    'password in log, after "password "',
  ]);
  expect(formsOf(SECRET).every((form) => form.length >= 12)).toBe(true);
});
