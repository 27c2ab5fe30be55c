import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NetworkInterfaceKind } from '../../src/domain/enums.js';
import { MeterError } from '../../src/errors.js';
import type { Link } from '../../src/transports/link.js';
import { openLink } from '../../src/transports/open-link.js';
import { tcpLink } from '../../src/transports/tcp.js';
import { startHangingPort } from '../support/hanging-port.js';

let server: Server;
let port: number;
let sockets: Set<Socket>;

beforeEach(async () => {
  sockets = new Set();
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

/** Opens a link and the meter's end of it. */
async function connected(): Promise<{ link: Link; meter: Socket }> {
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const link = await tcpLink({ host: '127.0.0.1', port, connectTimeoutMs: 5000 })(new AbortController().signal);
  const [meter] = await accepted;
  return { link, meter };
}

describe('a TCP link', () => {
  it('sends and receives bytes', async () => {
    const { link, meter } = await connected();
    try {
      const arrived = once(meter, 'data') as Promise<[Buffer]>;
      await link.send(Buffer.from('/?!\r\n'));
      expect((await arrived)[0].toString()).toBe('/?!\r\n');
      meter.write('/Els6EK280\r\n');
      expect(Buffer.from(await link.receive(5000)).toString()).toBe('/Els6EK280\r\n');
    } finally {
      link.destroy();
    }
  });

  it('says TIMEOUT when nothing comes, and goes on', async () => {
    const { link, meter } = await connected();
    try {
      await expect(link.receive(10)).rejects.toMatchObject({ code: 'TIMEOUT' });
      meter.write('late');
      expect(Buffer.from(await link.receive(5000)).toString()).toBe('late');
    } finally {
      link.destroy();
    }
  });

  it('hands out what came before the other side hung up, then says CONNECTION_LOST', async () => {
    const { link, meter } = await connected();
    try {
      meter.end('last words');
      expect(Buffer.from(await link.receive(5000)).toString()).toBe('last words');
      await expect(link.receive(5000)).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
      await expect(link.send(Buffer.from('x'))).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    } finally {
      link.destroy();
    }
  });

  it('wakes a waiting receive when the other side resets the connection', async () => {
    const { link, meter } = await connected();
    try {
      const waiting = link.receive(5000);
      meter.resetAndDestroy();
      await expect(waiting).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    } finally {
      link.destroy();
    }
  });

  it('rejects everything pending with the reason it is destroyed for', async () => {
    const { link, meter } = await connected();
    const closed = once(meter, 'close');
    const waiting = link.receive(5000);
    link.destroy(new MeterError('SESSION_CAP', 'took too long'));
    link.destroy();
    await expect(waiting).rejects.toMatchObject({ code: 'SESSION_CAP' });
    await expect(link.send(Buffer.from('x'))).rejects.toMatchObject({ code: 'SESSION_CAP' });
    await closed;
  });

  it('slows a sender down that nobody listens to, and loses nothing', async () => {
    const { link, meter } = await connected();
    try {
      const total = 32 * 1024 * 1024;
      meter.end(Buffer.alloc(total, 0x55));
      let received = 0;
      let largest = 0;
      for (;;) {
        const bytes = await link.receive(5000).catch((error: unknown) => error as MeterError);
        if (bytes instanceof MeterError) {
          expect(bytes.code).toBe('CONNECTION_LOST');
          break;
        }
        received += bytes.length;
        largest = Math.max(largest, bytes.length);
        // Gives the socket its turn, so that it would fill an unbounded buffer.
        for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(received).toBe(total);
      expect(largest).toBeLessThan(512 * 1024);
    } finally {
      link.destroy();
    }
  });
});

describe('connecting', () => {
  const signal = () => new AbortController().signal;

  it('says CONNECT_REFUSED where nothing listens', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port: free } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    await expect(tcpLink({ host: '127.0.0.1', port: free, connectTimeoutMs: 5000 })(signal())).rejects.toMatchObject({
      code: 'CONNECT_REFUSED',
      phase: 'connect',
    });
  });

  it('says UNREACHABLE of a name that does not exist', async () => {
    await expect(tcpLink({ host: 'meter.invalid', port: 1, connectTimeoutMs: 5000 })(signal())).rejects.toMatchObject({
      code: 'UNREACHABLE',
      phase: 'connect',
    });
  });

  it('says UNREACHABLE of a port that neither takes a connection nor refuses it', async () => {
    const hanging = await startHangingPort();
    try {
      const link = tcpLink({ host: '127.0.0.1', port: hanging.port, connectTimeoutMs: 200 })(signal());
      await expect(link).rejects.toMatchObject({
        code: 'UNREACHABLE',
        message: `no connection to 127.0.0.1:${hanging.port} within 200 ms`,
        phase: 'connect',
      });
    } finally {
      await hanging.close();
    }
  });

  it('stops when aborted, with the reason given', async () => {
    const reason = new MeterError('CANCELLED', 'the run was cancelled');
    await expect(tcpLink({ host: '127.0.0.1', port, connectTimeoutMs: 5000 })(AbortSignal.abort(reason))).rejects.toBe(
      reason,
    );
    const controller = new AbortController();
    const connecting = tcpLink({ host: '127.0.0.1', port, connectTimeoutMs: 5000 })(controller.signal);
    controller.abort();
    await expect(connecting).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('opens TCP interfaces and names what it cannot open', async () => {
    const link = await openLink(
      { kind: NetworkInterfaceKind.TCP, host: '127.0.0.1', port },
      { connectTimeoutMs: 5000 },
    )(signal());
    link.destroy();
    expect(() =>
      openLink({ kind: NetworkInterfaceKind.SERIAL, path: '/dev/ttyS0' }, { connectTimeoutMs: 5000 }),
    ).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }) as Error);
  });
});
