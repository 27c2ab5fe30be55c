import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { createClient } from '../../src/graphql/client.js';
import { MeterReadingAddedDocument } from '../../src/graphql/generated/graphql.js';

// A subscriber that came back while the server had no database was told of an internal error, and gave up.
it('a subscription that was accepted once outlives an internal error at its return', { timeout: 20_000 }, async () => {
  const reading = (cursor: string) => ({ data: { meterReadingAdded: { cursor } } });
  /** What the server does on the first, second and third connection once the client has subscribed. */
  const turns: ((socket: WebSocket, id: string) => void)[] = [
    (socket, id) => {
      socket.send(JSON.stringify({ type: 'next', id, payload: reading('1') }));
      socket.close(1011);
    },
    (socket, id) => {
      const extensions = { code: 'INTERNAL_SERVER_ERROR' };
      socket.send(JSON.stringify({ type: 'error', id, payload: [{ message: 'internal', extensions }] }));
    },
    (socket, id) => {
      socket.send(JSON.stringify({ type: 'next', id, payload: reading('2') }));
      socket.send(JSON.stringify({ type: 'complete', id }));
    },
  ];
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'graphql-transport-ws' });
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as { type: string; id: string };
      if (message.type === 'connection_init') socket.send('{"type":"connection_ack"}');
      if (message.type === 'subscribe') turns.shift()!(socket, message.id);
    });
  });
  try {
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = createClient({ url: `http://127.0.0.1:${port}/graphql` });
    const cursors: unknown[] = [];
    for await (const event of client.subscribe(MeterReadingAddedDocument, () => ({}))) {
      cursors.push(event.meterReadingAdded.cursor);
    }
    expect(cursors).toEqual(['1', '2']);
    expect(turns).toEqual([]);
  } finally {
    server.close();
  }
});
