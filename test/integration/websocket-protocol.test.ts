import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type RawSocket, type TestServer } from '../support/api-server.js';

let api: TestServer;
/** Opened first and left silent: its time runs while the other tests do. */
let silent: RawSocket;

beforeAll(async () => {
  api = await startTestServer();
  silent = await api.open();
});
afterAll(() => api?.close());

const subscribe = (id: string, query: string) => ({ id, type: 'subscribe', payload: { query } });
const LIVE = 'subscription { taskRunUpdated { id } }';

describe('graphql-transport-ws', () => {
  it('closes with 4406 on another subprotocol', async () => {
    const { closed } = await api.open({ protocol: '' });
    expect(await closed).toEqual({ code: 4406, reason: 'Subprotocol not acceptable' });
  });

  it('closes with 4401 on an operation before the connection is acknowledged', async () => {
    const { send, closed } = await api.open();
    send(subscribe('early', '{ __typename }'));
    expect(await closed).toEqual({ code: 4401, reason: 'Unauthorized' });
  });

  it('closes with 4429 on a second connection_init', async () => {
    const { send, closed } = await api.connect();
    send({ type: 'connection_init' });
    expect(await closed).toMatchObject({ code: 4429 });
  });

  it('closes with 4409 on an id that is in use', async () => {
    const { send, closed } = await api.connect();
    send(subscribe('same', LIVE));
    send(subscribe('same', LIVE));
    expect(await closed).toEqual({ code: 4409, reason: 'Subscriber for same already exists' });
  });

  it.each([
    ['no JSON', 'hello'],
    ['no type', '{}'],
    ['an unknown type', '{"type":"start"}'],
    ['a list', '[]'],
    ['null', 'null'],
    ['a subscribe without id', '{"type":"subscribe","payload":{"query":"{ __typename }"}}'],
    ['a subscribe without query', '{"type":"subscribe","id":"1","payload":{}}'],
    [
      'variables that are no object',
      '{"type":"subscribe","id":"1","payload":{"query":"{ __typename }","variables":7}}',
    ],
  ])('closes with 4400 on a message that is wrong: %s', async (_what, message) => {
    const { send, closed } = await api.connect();
    send(message);
    expect(await closed).toEqual({ code: 4400, reason: 'Invalid message received' });
  });

  it('closes with 1009 on a message that is too large', async () => {
    const { send, closed } = await api.connect();
    const before = await api.metric('amr_api_refused_total{reason="body"}');
    send({ type: 'ping', payload: { padding: 'x'.repeat(1_000_000) } });
    expect(await closed).toMatchObject({ code: 1009 });
    expect(await api.metric('amr_api_refused_total{reason="body"}')).toBe(before + 1);
  });

  it('answers pings, before and after the connection is acknowledged, with what they carried', async () => {
    const { socket, send, next } = await api.open();
    send({ type: 'ping' });
    expect(await next()).toEqual({ type: 'pong' });
    send({ type: 'connection_init' });
    expect(await next()).toEqual({ type: 'connection_ack' });
    send({ type: 'ping', payload: { n: 7 } });
    expect(await next()).toEqual({ type: 'pong', payload: { n: 7 } });
    send({ type: 'pong' });
    send({ type: 'ping' });
    expect(await next()).toEqual({ type: 'pong' });
    socket.terminate();
  });

  it('answers queries once and completes them; an id can be used again', async () => {
    const { socket, send, next } = await api.connect();
    for (let i = 0; i < 2; i++) {
      send(subscribe('1', '{ __typename }'));
      expect(await next()).toMatchObject({ id: '1', type: 'next', payload: { data: { __typename: 'Query' } } });
      expect(await next()).toEqual({ id: '1', type: 'complete' });
    }
    socket.terminate();
  });

  it.each([
    ['a syntax error', '{', 'GRAPHQL_PARSE_FAILED'],
    ['a validation error', '{ nonsense }', 'GRAPHQL_VALIDATION_FAILED'],
    ['no query', '', 'BAD_REQUEST'],
    ['no operation', 'fragment f on Query { __typename }', 'GRAPHQL_VALIDATION_FAILED'],
    ['several operations', 'query a { __typename } query b { __typename }', 'OPERATION_RESOLUTION_FAILURE'],
    ['too many tokens', `{ ${'a '.repeat(6_000)} }`, 'LIMIT_EXCEEDED'],
  ])('ends one operation, not the socket, on %s', async (_what, query, code) => {
    const { socket, send, next } = await api.connect();
    send(subscribe('live', LIVE));
    send(subscribe('wrong', query));
    expect(await next()).toMatchObject({ id: 'wrong', type: 'error', payload: [{ extensions: { code } }] });
    // The id is free again, and the other one goes on: it is still in use.
    send(subscribe('wrong', '{ __typename }'));
    expect(await next()).toMatchObject({ id: 'wrong', type: 'next' });
    send({ id: 'live', type: 'complete' });
    send(subscribe('live', '{ __typename }'));
    expect(await next()).toEqual({ id: 'wrong', type: 'complete' });
    expect(await next()).toMatchObject({ id: 'live', type: 'next' });
    socket.terminate();
  });

  it('takes no more from a client that does not take the answers, and loses none', async () => {
    const { socket, send, next } = await api.connect();
    const pings = 80;
    socket.pause();
    for (let i = 0; i < pings; i++) send({ type: 'ping', payload: { i, padding: 'x'.repeat(500_000) } });
    // 40 MB of pongs are more than the buffers on the way hold: the rest must still be on this side.
    let last = -1;
    const stalled = () => last === (last = socket.bufferedAmount);
    await expect.poll(stalled, { interval: 300, timeout: 10_000 }).toBe(true);
    expect(socket.bufferedAmount).toBeGreaterThan(10_000_000);
    socket.resume();
    for (let i = 0; i < pings; i++) expect(await next()).toMatchObject({ type: 'pong', payload: { i } });
    socket.terminate();
  });

  it('closes with 4408 when connection_init does not come in time', async () => {
    expect(await silent.closed).toEqual({ code: 4408, reason: 'Connection initialisation timeout' });
  }, 10_000);
});

describe('an upgrade', () => {
  const upgrade = async (path: string, headers: Record<string, string>) => {
    const sent = request(`${api.server.url}${path}`, {
      headers: {
        connection: 'upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
        ...headers,
      },
    });
    sent.end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    answer.resume();
    return answer;
  };

  it.each([
    ['of another site', '/graphql', { origin: 'https://evil.example' }, 403],
    ['of a page without a site', '/graphql', { origin: 'null' }, 403],
    ['elsewhere', '/other', {}, 404],
  ])('%s is refused with safe headers', async (_what, path, headers, status) => {
    const answer = await upgrade(path, headers);
    expect(answer.statusCode).toBe(status);
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
  });
});
