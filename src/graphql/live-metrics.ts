import { Counter, Gauge } from 'prom-client';
import { metrics } from '../telemetry.js';

const registers = [metrics];

export const subscribers = new Gauge({
  name: 'amr_subscribers',
  help: 'Open subscriptions.',
  labelNames: ['subscription'],
  registers,
});
export const delivered = new Counter({
  name: 'amr_events_delivered_total',
  help: 'Events handed to subscribers.',
  labelNames: ['subscription'],
  registers,
});
export const replays = new Counter({
  name: 'amr_stream_replays_total',
  help: 'Times a subscriber left the live stream, or began behind it, and read on from the log.',
  registers,
});
export const droppedRunUpdates = new Counter({
  name: 'amr_run_updates_dropped_total',
  help: 'Run updates a slow subscriber did not get; the run itself shows its latest state.',
  registers,
});
