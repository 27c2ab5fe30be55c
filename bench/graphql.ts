import pg from 'pg';
import { createKeyPair } from '../src/credentials.js';
import { startAmr } from '../src/scratch/amr-process.js';
import { createScratch } from '../src/scratch/scratch.js';
import { addPeerFunctions, storeGraphqlData, YEAR } from './graphql-data.js';
import type { LoadResult } from './http-load.js';
import { loadFrom } from './load-process.js';
import { fmt, machine } from './machine.js';
import { choiceOption, wholeOption } from './options.js';
import { startPostgraphile } from './peer-postgraphile.js';

/** Throughput beside PostGraphile's that each case has to reach; none for what PostGraphile has not. */
const BARS = { meters: 1, month: 3 };
const WARM_UP_SECONDS = 2;

const OURS = {
  meters: `{ meterDevices(first: 100) { nodes { id name networkInterface { name host port } taskGroups { name } lastReadingAt } } }`,
  month: `query ($meter: ID!, $from: DateTime!, $to: DateTime!) {
    readings(meterDevice: $meter, from: $from, to: $to) { columns { timestamps values qualities } next } }`,
  year: `query ($meter: ID!, $from: DateTime!, $to: DateTime!) {
    readingAggregates(meterDevice: $meter, from: $from, to: $to, bucket: DAY, timeZone: "Europe/Berlin") {
      columns { starts amounts minima maxima averages counts expectedCounts qualities } next } }`,
};
const PEERS = {
  meters: `{ allMeterDevices(first: 100) { nodes { id name lastReadingAt networkInterfaceByNetworkInterfaceId { name host port }
    meterDeviceTaskGroupsByMeterDeviceId { nodes { amrTaskGroupByAmrTaskGroupId { name } } } } } }`,
  month: `query ($meter: UUID!, $from: Datetime!, $to: Datetime!) {
    readingsBetween(meter: $meter, since: $from, until: $to) { nodes { measuredAt value quality } } }`,
};

/**
 * Requests per second of the API, as a client over HTTP sees it: (meters) a page of 100 meters with groups, interface and time
 * of the last reading, (month) a month of quarter-hours as columns, (year) a year of them by day; the first two beside PostGraphile
 * on the same database in the same run. Requests go to one meter after another of those with a whole year.
 */
export async function run(options: Map<string, string>): Promise<void> {
  const millions = wholeOption(options, 'millions', 1, 1, 1_000);
  const seconds = wholeOption(options, 'seconds', 8, 1, 300);
  const connections = wholeOption(options, 'connections', 4, 1, 200);
  const peer = choiceOption(options, 'peer', 'yes', ['yes', 'no']);
  console.log(
    `settings: ${machine()}, ${fmt(millions)} million readings stored, ${connections} connections, ${seconds} s each`,
  );
  const scratch = await createScratch('bench');
  const client = new pg.Client({ connectionString: scratch.databaseUrl });
  await client.connect();
  const meters = await storeGraphqlData(client, millions * 1_000_000);
  if (peer === 'yes') await addPeerFunctions(client);
  await client.end();
  const amr = await startAmr(['server'], {
    env: {
      DATABASE_URL: scratch.databaseUrl,
      AMQP_URL: scratch.amqpUrl,
      AMR_QUEUE_PREFIX: scratch.queuePrefix,
      AMR_HTTP_PORT: '0',
      AMR_CREDENTIALS_PUBLIC_KEY: createKeyPair().publicKey,
    },
    profile: options.get('profile'),
  });
  const ours = `${/^server (\S+)/.exec(amr.ready)![1]!}/graphql`;
  const theirs = peer === 'yes' ? await startPostgraphile(scratch.databaseUrl) : undefined;
  const spans = {
    meters: undefined,
    month: { from: new Date(Date.UTC(2025, 2, 1)), to: new Date(Date.UTC(2025, 3, 1)) },
    year: { from: new Date(YEAR.from), to: new Date(YEAR.to) },
  };
  const order = (url: string, query: string, span: object | undefined) => ({
    url,
    bodies: span
      ? meters.map((meter) => JSON.stringify({ query, variables: { meter, ...span } }))
      : [JSON.stringify({ query })],
    connections,
    seconds,
    warmUpSeconds: WARM_UP_SECONDS,
  });
  for (const name of ['meters', 'month', 'year'] as const) {
    const result = await loadFrom(order(ours, OURS[name], spans[name]));
    console.log(`${name.padEnd(6)} ${figures(result)}`);
    if (theirs === undefined || name === 'year') continue;
    const beside = await loadFrom(order(theirs, PEERS[name], spans[name]));
    const ratio = result.perSecond / beside.perSecond;
    const reached = ratio >= BARS[name];
    console.log(`  PostGraphile ${figures(beside)}`);
    console.log(`  bar: at least ${BARS[name]} times PostGraphile: ${ratio.toFixed(2)}, ${reached ? 'ok' : 'MISSED'}`);
    if (!reached) process.exitCode = 1;
  }
}

function figures({ perSecond, p50, p95, p99, bytes }: LoadResult): string {
  const ms = (value: number) => value.toFixed(1);
  return `${perSecond.toFixed(1)} requests/s, p50 ${ms(p50)} p95 ${ms(p95)} p99 ${ms(p99)} ms, ${fmt(bytes / 1024)} KiB an answer`;
}
