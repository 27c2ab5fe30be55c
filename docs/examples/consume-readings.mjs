// Prints every reading that the head-end stores, from a durable queue of its own: what comes while it does not run waits there.
//   node docs/examples/consume-readings.mjs <queue> [<binding key>]
// The key is <organization>.<meter>; "#" is all, "<organization>.#" all of one organization.
import { connect } from 'amqplib';

const [queue = 'my-readings', key = '#'] = process.argv.slice(2);
const exchange = `${process.env.AMR_QUEUE_PREFIX ?? ''}readings`;
const connection = await connect(process.env.AMQP_URL ?? 'amqp://guest:guest@127.0.0.1:5672');
const channel = await connection.createChannel();
await channel.checkExchange(exchange); // the head-end declares it

// Bounded, and the oldest goes first: a queue that refuses (reject-publish) would hold up all other programs.
const bounds = { 'x-queue-type': 'quorum', 'x-max-length-bytes': 10_000_000_000, 'x-overflow': 'drop-head' };
await channel.assertQueue(queue, { durable: true, arguments: bounds });
await channel.bindQueue(queue, exchange, key);
await channel.prefetch(100);

const seen = new Set(); // a program that stores readings uses a unique key instead
await channel.consume(queue, (message) => {
  if (!message) return process.exit(1); // the queue was deleted
  const { message_id, meter_device, meter = meter_device, readings } = JSON.parse(message.content.toString());
  if (!seen.has(message_id)) {
    seen.add(message_id);
    if (seen.size > 10_000) seen.delete(seen.values().next().value);
    for (const { series, timestamp, value, unit = '' } of readings)
      console.log(`${timestamp} ${meter} ${series} ${value} ${unit}`);
  }
  channel.ack(message); // after the readings are safe: what is not acknowledged comes again
});
console.log(`waiting on ${queue}, bound to ${exchange} with ${key}`);
process.once('SIGTERM', () => connection.close());
process.once('SIGINT', () => connection.close());
