import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Config } from '../../src/config.js';
import type { ApiSettings } from '../../src/graphql/api-settings.js';
import { startGraphqlServer, type GraphqlServer } from '../../src/graphql/server.js';
import { MemoryBroker } from '../../src/messaging/memory-broker.js';
import { createServices } from '../../src/services/index.js';
import type { Logger } from '../../src/telemetry.js';
import { silentLog } from './broker.js';
import { createTestDatabase, type TestDatabase } from './database.js';

export interface Answer {
  data?: Record<string, unknown> | null;
  errors?: { message: string; extensions: { code: string; field?: string; id?: string } }[];
  extensions?: { cost?: { requested: number; limit: number } };
}

export interface SocketMessage {
  id?: string;
  type: string;
  payload?: unknown;
}

export interface RawSocket {
  readonly socket: WebSocket;
  readonly send: (message: object | string) => void;
  /** The next message; rejects when the socket closes first. */
  readonly next: () => Promise<SocketMessage>;
  /** Code and reason of its end. */
  readonly closed: Promise<{ code: number; reason: string }>;
}

export interface TestServer {
  readonly server: GraphqlServer;
  readonly test: TestDatabase;
  readonly url: string;
  post(body: unknown, headers?: Record<string, string>): Promise<Response>;
  get(parameters: Record<string, string>, headers?: Record<string, string>): Promise<Response>;
  /** A socket that speaks the protocol by hand, for what a well-behaved client does not do. */
  open(options?: { protocol?: string; headers?: Record<string, string> }): Promise<RawSocket>;
  /** As `open`, after connection_init and its acknowledgement. */
  connect(headers?: Record<string, string>): Promise<RawSocket>;
  /** Value of one line of /metrics; 0 when it is not there. */
  metric(line: string): Promise<number>;
  close(): Promise<void>;
}

/** The real API on a database of its own, with the in-process broker. */
export async function startTestServer(
  settings: Partial<ApiSettings & Pick<Config, 'auth'>> = {},
  log: Logger = silentLog,
): Promise<TestServer> {
  const test = await createTestDatabase();
  const broker = new MemoryBroker(silentLog);
  const { database } = test;
  const server = await startGraphqlServer({
    config: { httpHost: '127.0.0.1', httpPort: 0, auth: 'off', oidc: undefined, ...settings },
    database,
    broker,
    log,
    services: createServices({ database, broker, credentialsPublicKey: undefined, log: silentLog }),
    readiness: async () => ({ ok: true, parts: {} }),
  }).catch(async (error: unknown) => {
    await broker.close();
    await test.drop();
    throw error;
  });
  const url = `${server.url}/graphql`;
  const open: TestServer['open'] = ({ protocol = 'graphql-transport-ws', headers = {} } = {}) =>
    openSocket(new WebSocket(url.replace('http', 'ws'), protocol ? [protocol] : [], { headers }));
  return {
    server,
    test,
    url,
    post: (body, headers = {}) =>
      fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    get: (parameters, headers = {}) =>
      fetch(`${url}?${new URLSearchParams(parameters).toString()}`, {
        headers: { 'apollo-require-preflight': 'true', ...headers },
      }),
    open,
    connect: async (headers) => {
      const raw = await open({ headers });
      raw.send({ type: 'connection_init' });
      const { type } = await raw.next();
      if (type !== 'connection_ack') throw new Error(`connection_init was answered with ${type}`);
      return raw;
    },
    metric: async (line) => {
      const lines = (await (await fetch(`${server.url}/metrics`)).text()).split('\n');
      return Number(lines.find((candidate) => candidate.startsWith(line))?.slice(line.length) ?? 0);
    },
    close: async () => {
      await server.close();
      await broker.close();
      await test.drop();
    },
  };
}

async function openSocket(socket: WebSocket): Promise<RawSocket> {
  const received: SocketMessage[] = [];
  const waiting: { resolve: (message: SocketMessage) => void; reject: (error: Error) => void }[] = [];
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as SocketMessage;
    const first = waiting.shift();
    if (first) first.resolve(message);
    else received.push(message);
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      resolve({ code, reason: reason.toString() });
      for (const { reject } of waiting.splice(0)) reject(new Error(`the socket closed with ${code}`));
    });
  });
  await once(socket, 'open');
  socket.on('error', () => undefined);
  return {
    socket,
    closed,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    next: () =>
      new Promise((resolve, reject) => {
        const message = received.shift();
        if (message) resolve(message);
        else if (socket.readyState !== WebSocket.OPEN) reject(new Error('the socket is closed'));
        else waiting.push({ resolve, reject });
      }),
  };
}
