import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface RecordingProxy {
  readonly port: number;
  /** All that went through, each direction of each connection by itself, so that nothing is cut where packets were. */
  readonly streams: () => string[];
  close(): Promise<void>;
}

/** A loopback proxy in front of `host:port` that keeps what passes, for tests that look for what must not. */
export async function startRecordingProxy(host: string, port: number): Promise<RecordingProxy> {
  const sockets = new Set<Socket>();
  const recorded: Buffer[][] = [];
  const record = (from: Socket, to: Socket) => {
    const chunks: Buffer[] = [];
    recorded.push(chunks);
    sockets.add(from);
    from.on('data', (chunk: Buffer) => void chunks.push(chunk)).on('error', () => undefined);
    from.once('close', () => {
      sockets.delete(from);
      to.destroy();
    });
    from.pipe(to);
  };
  const server = createServer((client) => {
    const upstream = connect({ host, port, noDelay: true });
    record(client, upstream);
    record(upstream, client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    streams: () => recorded.map((chunks) => Buffer.concat(chunks).toString('latin1')),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
