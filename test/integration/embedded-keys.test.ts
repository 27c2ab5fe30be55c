import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createKeyPair } from '../../src/credentials.js';
import { keepKeys } from '../../src/embedded/keys.js';

let dataDir: string;
beforeEach(async () => {
  dataDir = join(await mkdtemp(join(tmpdir(), 'amr-keys-')), 'data');
});
afterEach(() => rm(join(dataDir, '..'), { recursive: true, force: true }));

const keep = (publicKey?: string, privateKey?: string) =>
  keepKeys({ dataDir, credentialsPublicKey: publicKey, credentialsPrivateKey: privateKey });

describe('the keys of embedded mode', () => {
  it('are made once, also by two starts at the same time, and only their owner may read them', async () => {
    const [first, second] = await Promise.all([keep(), keep()]);
    expect(second).toEqual(first);
    expect(await keep()).toEqual(first);
    expect((await stat(join(dataDir, 'credentials.key'))).mode & 0o777).toBe(0o600);
  });

  it('are the configured ones where there are any', async () => {
    const pair = createKeyPair();
    expect(await keep(pair.publicKey, pair.privateKey)).toEqual(pair);
    expect(await keep(undefined, pair.privateKey)).toEqual(pair);
    await expect(stat(dataDir)).rejects.toThrow(/ENOENT/);
  });

  it('are several during a rotation: the first seals, unless the public key says another', async () => {
    const [old, fresh] = [createKeyPair(), createKeyPair()];
    const privateKey = `${fresh.privateKey},${old.privateKey}`;
    expect(await keep(undefined, privateKey)).toEqual({ publicKey: fresh.publicKey, privateKey });
    expect(await keep(old.publicKey, privateKey)).toEqual({ publicKey: old.publicKey, privateKey });
    await expect(keep(createKeyPair().publicKey, privateKey)).rejects.toThrow(/not of one pair/);
  });

  it('are refused when they do not belong together or one half is missing', async () => {
    await expect(keep(createKeyPair().publicKey, createKeyPair().privateKey)).rejects.toThrow(/not of one pair/);
    await expect(keep(createKeyPair().publicKey)).rejects.toThrow(/without AMR_CREDENTIALS_PRIVATE_KEY/);
    await expect(keep(undefined, 'nonsense')).rejects.toThrow(/AMR_CREDENTIALS_PRIVATE_KEY is not a key/);
  });

  it('are never replaced when the file is damaged', async () => {
    await keep();
    const file = join(dataDir, 'credentials.key');
    await writeFile(file, 'amr-key-damaged');
    await expect(keep()).rejects.toThrow(/credentials\.key is damaged/);
    expect(await readFile(file, 'utf8')).toBe('amr-key-damaged');
  });
});
