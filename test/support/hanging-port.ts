import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Connections that the kernel keeps for the listener at most; Linux allows one more than asked for. */
const BACKLOG = 1;
const LISTENER = `
  const server = require('node:net').createServer();
  server.listen({ host: '127.0.0.1', port: 0, backlog: ${BACKLOG} }, () => console.log(server.address().port));`;

export interface HangingPort {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * A port on loopback at which a connection is neither made nor refused, as to a modem that is off: its process is frozen
 * and its queue full, so that the kernel drops what asks for more.
 */
export async function startHangingPort(): Promise<HangingPort> {
  const listener = spawn(process.execPath, ['-e', LISTENER], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(listener, 'exit');
  const sockets: Socket[] = [];
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    listener.kill('SIGKILL');
    await exited;
  };
  try {
    const [told] = (await once(listener.stdout, 'data', { signal: AbortSignal.timeout(10_000) })) as [Buffer];
    const port = Number(told.toString());
    listener.kill('SIGSTOP');
    for (let i = 0; i <= BACKLOG; i++) {
      const socket = connect(port, '127.0.0.1');
      sockets.push(socket);
      await once(socket, 'connect', { signal: AbortSignal.timeout(10_000) });
    }
    return { port, close };
  } catch (error) {
    await close();
    throw error;
  }
}
