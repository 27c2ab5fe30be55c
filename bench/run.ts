import { disposeAll } from '../src/scratch/owned.js';

interface Benchmark {
  about: string;
  /** It is ended, and has failed, when it takes longer. */
  limitMinutes: number;
  load: () => Promise<{ run: (options: Map<string, string>) => Promise<void> }>;
}

/** `npm run bench -- NAME [--option value …]`: runs one benchmark and prints its settings and figures. */
const BENCHMARKS: Record<string, Benchmark> = {
  ingest: {
    about:
      'readings stored per second by a real ingester, beside raw COPY and a bare consumer; --readings N, --per-message N, --strategy sequential|async|hybrid, --parallelism N, --profile FOLDER',
    limitMinutes: 20,
    load: () => import('./ingest.js'),
  },
  strategies: {
    about: 'the three strategies of ingestion side by side, and what holds each up; --readings N, --parallelism N',
    limitMinutes: 20,
    load: () => import('./strategies.js'),
  },
  'ingest-large': {
    about:
      'the same with millions of readings stored, beside an empty table; --millions N, --meters N, --readings N, --profile FOLDER',
    limitMinutes: 90,
    load: () => import('./ingest-large.js'),
  },
  'ingest-memory': {
    about: 'memory of an ingester that is started on a backlog of millions of messages; --readings N, --seconds N',
    limitMinutes: 75,
    load: () => import('./ingest-memory.js'),
  },
  latency: {
    about:
      'from the publish to a subscriber, beside a bare round trip; --rate N, --seconds N, --meters N, --per-message N, --select meter|reading, --profile FOLDER',
    limitMinutes: 20,
    load: () => import('./latency.js'),
  },
  fanout: {
    about:
      'many subscribers over WebSocket, beside a raw broadcast; --subscribers N, --rate N, --seconds N, --minutes N, --overlapping N, --events N, --profile FOLDER',
    limitMinutes: 1_500,
    load: () => import('./fanout.js'),
  },
  schedule: {
    about: 'one slot for a large population, and dispatch; --meters N',
    limitMinutes: 20,
    load: () => import('./schedule.js'),
  },
  'poll-concurrency': {
    about: 'slow meters that one poller reads at once, with its memory and its delays; --sessions N, --seconds N',
    limitMinutes: 10,
    load: () => import('./poll-concurrency.js'),
  },
  'poll-throughput': {
    about:
      'whole meter sessions per second of one poller, beside a bare client; --sessions N, --open N, --profile FOLDER',
    limitMinutes: 10,
    load: () => import('./poll-throughput.js'),
  },
  graphql: {
    about:
      'requests per second of the API, beside PostGraphile; --millions N, --seconds N, --connections N, --peer yes|no, --profile FOLDER',
    limitMinutes: 60,
    load: () => import('./graphql.js'),
  },
  'on-demand': {
    about:
      'from a mutation to the reading at a subscriber, while a schedule keeps the pollers busy; --invocations N, --meters N, --profile FOLDER',
    limitMinutes: 10,
    load: () => import('./on-demand.js'),
  },
};

const [name = '', ...rest] = process.argv.slice(2);
const benchmark = BENCHMARKS[name];
if (!benchmark) {
  console.error(`${name === '' ? 'Name a benchmark' : `There is no benchmark ${name}`}:`);
  for (const [known, { about }] of Object.entries(BENCHMARKS)) console.error(`  npm run bench -- ${known}   ${about}`);
  process.exit(2);
}
const options = new Map<string, string>();
for (let index = 0; index < rest.length; index += 2)
  options.set(rest[index]!.replace(/^--/, ''), rest[index + 1] ?? '');

let over = false;
/** What fails after the end fails because of it. */
const complain = (problem: unknown) => {
  if (!over) console.error(problem);
};
const interrupted = new Promise<number>((resolve) => {
  process.on('SIGINT', () => resolve(130));
  process.on('SIGTERM', () => resolve(143));
});
// Something of the benchmark that nobody waits for failed: its processes must not outlive it all the same.
const broken = new Promise<number>((resolve) => {
  const onError = (error: unknown) => {
    complain(error);
    resolve(1);
  };
  process.on('uncaughtException', onError);
  process.on('unhandledRejection', onError);
});
const tooLong = new Promise<number>((resolve) => {
  setTimeout(() => {
    console.error(`${name} did not end within ${benchmark.limitMinutes} minutes`);
    resolve(1);
  }, benchmark.limitMinutes * 60_000);
});
const finished = (async () => {
  try {
    await (await benchmark.load()).run(options);
    return Number(process.exitCode ?? 0);
  } catch (error) {
    complain(error);
    return 1;
  }
})();
const code = await Promise.race([finished, interrupted, broken, tooLong]);
over = true;
const clean = await disposeAll();
process.exit(clean ? code : code || 1);
