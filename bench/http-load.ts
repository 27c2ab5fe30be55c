import { Agent, request } from 'node:http';
import { percentiles } from './percentiles.js';

/** What one load says of itself, as JSON on its last line. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly bytes: number;
}

/** What a load is told, as one message. */
export interface LoadOrder {
  readonly url: string;
  /** Requests that are sent in turn. */
  readonly bodies: readonly string[];
  readonly connections: number;
  readonly seconds: number;
  /** Not counted. */
  readonly warmUpSeconds: number;
}

/** A process of its own, so that reading answers takes no time of the server's: so many connections, each one request after another. */
async function load({ url, bodies, connections, seconds, warmUpSeconds }: LoadOrder): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const begin = performance.now() + warmUpSeconds * 1000;
  const end = begin + seconds * 1000;
  const took: number[] = [];
  let next = 0;
  let bytes = 0;
  const one = async () => {
    while (performance.now() < end) {
      const startedAt = performance.now();
      const answer = await post(url, agent, bodies[next++ % bodies.length]!);
      if (startedAt < begin) continue;
      took.push(performance.now() - startedAt);
      bytes = answer.length;
      if (took.length <= 3 && answer.includes('"errors"')) throw new Error(answer.toString('utf8', 0, 1_000));
    }
  };
  await Promise.all(Array.from({ length: connections }, one));
  agent.destroy();
  const [p50, p95, p99] = percentiles(took, [0.5, 0.95, 0.99]);
  return { perSecond: took.length / seconds, p50: p50!, p95: p95!, p99: p99!, bytes };
}

function post(url: string, agent: Agent, body: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(url, { method: 'POST', agent, headers, timeout: 60_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const answer = Buffer.concat(chunks);
        if (response.statusCode === 200) resolve(answer);
        else reject(new Error(`${response.statusCode}: ${answer.toString('utf8', 0, 1_000)}`));
      });
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer within 60 s')));
    sent.on('error', reject);
    sent.end(body);
  });
}

process.once('message', (order: LoadOrder) => {
  void load(order).then(
    (result) => process.send!(result, () => process.exit(0)),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.once('disconnect', () => process.exit(1));
