import type { Socket } from 'node:net';

/** Waits until everything written has left for the network, or the connection is gone; one wait for all who ask. */
export function drainOf(socket: Socket): () => Promise<void> {
  let waiting: Promise<void> | undefined;
  const isOver = () => socket.closed || !(socket.destroyed || socket.writableNeedDrain);
  const wait = () =>
    new Promise<void>((resolve) => {
      const done = () => {
        socket.off('drain', done);
        socket.off('close', done);
        waiting = undefined;
        resolve();
      };
      socket.on('drain', done);
      socket.on('close', done);
    });
  return () => waiting ?? (isOver() ? Promise.resolve() : (waiting = wait()));
}
