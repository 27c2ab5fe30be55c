import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const FOLDER = 'dist/console';
const read = (file: string) => readFileSync(join(FOLDER, file), 'utf8');

describe('GraphiQL as it is built', () => {
  it('loads nothing from elsewhere: scripts, styles, fonts and pictures are in the package', () => {
    const page = read('index.html');
    const loaded = [...page.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address!);
    expect(loaded.length).toBeGreaterThan(1);
    expect(loaded.filter((address) => !/^(\/graphiql\/|data:)/.test(address))).toEqual([]);
    const styles = read('graphiql.css');
    expect(styles.match(/url\(\s*["']?(?!data:|\.\/|["']?#)[^)]{0,60}|@import[^;]*/g) ?? []).toEqual([]);
    // Nor what the policy of the page refuses to run.
    expect(page).not.toMatch(/<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=/);
    expect(read('graphiql.js')).not.toMatch(/\beval\(|new Function\(|\bimport\(\s*["']https?:/);
  });

  it('has every example, the explorer, and sends the token of the tab', () => {
    const script = read('graphiql.js');
    for (const file of readdirSync('console/examples')) {
      const name = /^\s*(?:query|mutation|subscription) (\w+)/m.exec(
        readFileSync(join('console/examples', file), 'utf8'),
      )![1]!;
      expect(script, file).toContain(name);
    }
    for (const text of ['graphiql-explorer', 'amr.token', 'Bearer ']) expect(script).toContain(text);
  });
});
