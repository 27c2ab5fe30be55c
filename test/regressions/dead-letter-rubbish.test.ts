import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEAD_LETTER_HEADERS } from '../../src/messaging/broker.js';
import { decode, PollSessionMessage } from '../../src/messaging/contracts.js';
import { createDeadLetterHandler } from '../../src/services/dead-letters.js';
import { silentLog } from '../support/broker.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.drop());

// A reason that quotes a NUL, and a body that claims an organization that is no id, were refused by the database for ever.
it.each([
  ['a reason with control characters', Buffer.from('\0\0rubbish'), 'not JSON: unexpected token \0'],
  ['a claimed organization that is no id', Buffer.from('{"organization":"------------------------------------"}'), 'x'],
  ['an unknown organization', Buffer.from('{"organization":"0190abcd-0000-7000-8000-0000000000ff"}'), 'x'],
  ['an endless reason', Buffer.from('y'), 'x'.repeat(100_000)],
])('files %s', async (_title, body, reason) => {
  const handle = createDeadLetterHandler(
    test.database.pool,
    'amr.results.dead',
    silentLog,
    new AbortController().signal,
  );
  const delivery = {
    body,
    redelivered: false,
    messageId: undefined,
    publishedAt: undefined,
    headers: { [DEAD_LETTER_HEADERS.reason]: reason },
  };
  expect(await handle(delivery)).toEqual({ kind: 'ack' });
  const { rows } = await test.database.pool.query('select queue from dead_letter where body = $1', [body]);
  expect(rows).toEqual([{ queue: 'amr.results' }]);
});

// Deep nesting made the schema check overflow its stack; the delivery was requeued a hundred times.
it('a deeply nested message is refused, not thrown at its reader', () => {
  const deep = `{"a":`.repeat(20_000) + '1' + '}'.repeat(20_000);
  const body = Buffer.from(`{"version":1,"calls":[{"task_kwargs":${deep}}]}`);
  expect(decode(PollSessionMessage, body)).toMatchObject({ ok: false });
});
