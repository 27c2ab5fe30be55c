/** `npm run bench -- NAME [--option value …]`: runs one benchmark and prints its settings and figures. */
const BENCHMARKS: Record<
  string,
  { about: string; load: () => Promise<{ run: (options: Map<string, string>) => Promise<void> }> }
> = {
  ingest: {
    about: 'readings stored per second by a real ingester, beside raw COPY; --readings N, --profile FOLDER',
    load: () => import('./ingest.js'),
  },
  schedule: {
    about: 'one slot for a large population, and dispatch; --meters N',
    load: () => import('./schedule.js'),
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
await (await benchmark.load()).run(options);
