import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

/**
 * The map of the system: what each part may import. Imports point one way, from entry points down to the domain; a part
 * not named here (src/errors.ts and its like) may be used by all.
 */
const MAY_IMPORT: Record<string, readonly string[]> = {
  'src/domain': [],
  'src/protocols': ['src/domain'],
  entities: ['src/domain'],
  'src/transports': ['src/domain', 'src/messaging'],
  'src/execution': ['src/domain', 'src/protocols', 'src/transports'],
  'src/messaging': ['src/domain'],
  'src/db': ['src/domain', 'entities'],
  'src/services': [
    'src/domain',
    'src/protocols',
    'src/execution',
    'src/transports',
    'src/messaging',
    'src/db',
    'entities',
  ],
  schema: ['src/domain', 'src/services', 'entities'],
  'src/graphql': ['src/domain', 'src/services', 'src/messaging', 'src/db', 'entities', 'schema', 'resolvers'],
  resolvers: ['src/domain', 'src/services', 'src/graphql', 'entities', 'schema'],
  'src/import': ['src/domain', 'src/messaging'],
  // The simulator is the other side of the wire: of the client's code it shares only the checksum.
  'src/simulators': ['src/domain', 'src/protocols'],
  'src/scratch': ['src/domain', 'src/messaging', 'src/db'],
  'src/comparison': ['src/domain', 'src/messaging', 'src/db', 'src/scratch'],
  workers: ['src/domain', 'src/services', 'src/graphql', 'src/messaging', 'src/db', 'src/execution'],
  'src/embedded': [
    'src/domain',
    'src/services',
    'src/graphql',
    'src/messaging',
    'src/db',
    'src/simulators',
    'entities',
    'workers',
  ],
  'src/cli': [
    'src/domain',
    'src/services',
    'src/graphql',
    'src/messaging',
    'src/db',
    'src/simulators',
    'src/embedded',
    'src/import',
    'src/scratch',
    'src/comparison',
    'workers',
  ],
};
const PARTS = Object.keys(MAY_IMPORT).sort((a, b) => b.length - a.length);
const ENTRY_POINTS = ['src/cli.ts', 'workers/'];

const partOf = (file: string) => PARTS.find((part) => file.startsWith(`${part}/`));
const files = ['src', 'schema', 'resolvers', 'entities', 'workers'].flatMap((top) =>
  readdirSync(join(ROOT, top), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${top}/${name}`),
);

function importsOf(file: string): string[] {
  const source = readFileSync(join(ROOT, file), 'utf8');
  return [...source.matchAll(/(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g)].map(([, path]) =>
    relative(ROOT, resolve(ROOT, dirname(file), path!)).replace(/\.js$/, '.ts'),
  );
}

describe('imports', () => {
  it('are found at all', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(importsOf('workers/scheduler.ts')).toContain('src/services/slots.ts');
  });

  it.each(files)('of %s point down the map', (file) => {
    const part = partOf(file);
    if (part === undefined) return;
    const upward = importsOf(file).filter((target) => {
      const targetPart = partOf(target);
      return targetPart !== undefined && targetPart !== part && !MAY_IMPORT[part]!.includes(targetPart);
    });
    expect(upward).toEqual([]);
  });

  it('never name an entry point, except from another one', () => {
    const offenders = files
      .filter((file) => !/^(src\/cli|workers\/|src\/embedded\/)/.test(file))
      .filter((file) => importsOf(file).some((target) => ENTRY_POINTS.some((entry) => target.startsWith(entry))));
    expect(offenders).toEqual([]);
  });

  it('keep sockets, timers and clocks out of protocols and domain', () => {
    const offenders = files
      .filter((file) => /^src\/(protocols|domain)\//.test(file))
      .filter((file) =>
        /from 'node:|setTimeout|setInterval|process\.|new Date\(\)/.test(readFileSync(join(ROOT, file), 'utf8')),
      );
    expect(offenders).toEqual([]);
  });
});
