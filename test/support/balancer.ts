import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Balancer {
  readonly port: number;
  /** Destroys one of the connections, as `choose` says. */
  cut(choose: (count: number) => number): void;
  close(): Promise<void>;
}

/** A loopback proxy in front of several ports: each connection goes to the next one that takes it. */
export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const clients = new Set<Socket>();
  let turn = 0;
  const join = (client: Socket, tries: number) => {
    if (tries === 0) return void client.destroy();
    const upstream = connect({ host: '127.0.0.1', port: ports[turn++ % ports.length]!, noDelay: true });
    const next = () => join(client, tries - 1);
    upstream.once('error', next);
    upstream.once('connect', () => {
      upstream.off('error', next);
      upstream.on('error', () => undefined); // 'close' follows
      upstream.once('close', () => client.destroy());
      client.once('close', () => upstream.destroy());
      if (client.destroyed) return void upstream.destroy();
      client.pipe(upstream);
      upstream.pipe(client);
    });
  };
  const server = createServer((client) => {
    clients.add(client);
    client.on('error', () => undefined); // 'close' follows
    client.once('close', () => clients.delete(client));
    join(client, ports.length);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cut: (choose) => [...clients][choose(clients.size)]?.destroy(),
    close: async () => {
      for (const client of clients) client.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
