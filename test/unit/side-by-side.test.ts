import { once } from 'node:events';
import { expect, it } from 'vitest';
import { sideBySide } from '../../src/side-by-side.js';

it('waits for the others, told to stop, before it throws what one has thrown', async () => {
  const order: string[] = [];
  const failing = async () => {
    order.push('failing');
    throw new Error('lost');
  };
  const going = async (signal: AbortSignal) => {
    if (!signal.aborted) await once(signal, 'abort');
    await new Promise((resolve) => setImmediate(resolve));
    order.push('stopped');
  };
  await expect(sideBySide(new AbortController().signal, going, failing)).rejects.toThrow('lost');
  expect(order).toEqual(['failing', 'stopped']);
});

it('passes on the abort of its own signal', async () => {
  const stopping = new AbortController();
  const running = sideBySide(stopping.signal, async (signal) => void (await once(signal, 'abort')));
  stopping.abort();
  await running;
});
