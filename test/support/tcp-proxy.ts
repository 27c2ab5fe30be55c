import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface TcpProxy {
  readonly port: number;
  /** Destroys every connection that runs through the proxy; new ones are accepted. */
  cut(): void;
  /** Cuts, and turns new connections away until `restore`. */
  block(): void;
  /**
   * Until `restore` no byte passes, in old connections and new ones, and neither side learns that the other has hung up:
   * as when a cable is pulled. Then all that was sent, and each end, arrives.
   */
  hang(): void;
  /**
   * From now on what clients send is taken from them and goes nowhere, while they hear the other side as before: until
   * `restore`, which cuts, as the middle of what they said is missing.
   */
  swallow(): void;
  restore(): void;
  close(): Promise<void>;
}

/** A loopback proxy in front of `host:port`, for tests that break connections. */
export async function startTcpProxy(host: string, port: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const upstreams = new Map<Socket, Socket>();
  /** Accepted while hanging: they have no upstream yet. */
  const held = new Set<Socket>();
  let state: 'open' | 'blocked' | 'hanging' | 'swallowing' = 'open';
  const track = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined); // 'close' follows
    socket.once('close', () => sockets.delete(socket));
  };
  const flow = (client: Socket, upstream: Socket) => {
    if (state === 'swallowing') client.resume();
    else client.pipe(upstream);
    upstream.pipe(client);
  };
  const join = (client: Socket) => {
    const upstream = connect({ host, port, noDelay: true });
    track(upstream);
    upstreams.set(client, upstream);
    client.once('close', () => {
      upstreams.delete(client);
      upstream.destroy();
    });
    upstream.once('close', () => client.destroy());
    flow(client, upstream);
  };
  const server = createServer((client) => {
    if (state === 'blocked') return void client.destroy();
    track(client);
    if (state === 'hanging') held.add(client);
    else join(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    held.clear();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    block: () => {
      state = 'blocked';
      cut();
    },
    hang: () => {
      state = 'hanging';
      // What is not read is not noticed either, also an end.
      for (const [client, upstream] of upstreams) {
        client.unpipe(upstream).pause();
        upstream.unpipe(client).pause();
      }
    },
    swallow: () => {
      state = 'swallowing';
      for (const [client, upstream] of upstreams) client.unpipe(upstream).resume();
    },
    restore: () => {
      const before = state;
      state = 'open';
      if (before === 'swallowing') cut();
      if (before !== 'hanging') return;
      for (const [client, upstream] of upstreams) flow(client, upstream);
      for (const client of held) join(client);
      held.clear();
    },
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
