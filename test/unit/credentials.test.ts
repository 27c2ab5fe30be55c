import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createKeyPair,
  CredentialsError,
  keyIdOf,
  KeyRing,
  open,
  parsePrivateKey,
  parsePublicKey,
  publicKeyOf,
  seal,
  sealedFor,
} from '../../src/credentials.js';
import { StartupError } from '../../src/errors.js';

const { publicKey, privateKey } = createKeyPair();
const BOX_OF_BEFORE =
  'Aaqo//cDtQsiv7SMiJk0pGzce7ZX1Vzi1Lu0Q86vBxgkPyB6w9f9sTMZV0ZTZsdN5cowFpoT8CwjJ5OFWiKfBp+dtOQhIkYLIj3JPn0L3lE=';
const METER = '890b61bb-6594-48db-ad90-584d56754455';

describe('sealed credentials', () => {
  it('open to what was sealed, for any names and values', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string({ unit: 'grapheme' })), fc.uuid(), (credentials, meterId) => {
        expect(open(privateKey, meterId, seal(publicKey, meterId, credentials))).toEqual({ ...credentials });
      }),
      { numRuns: 50 },
    );
  });

  it('do not open when any single bit is changed', () => {
    const box = seal(publicKey, METER, { password: '00000000' });
    for (let bit = 0; bit < box.length * 8; bit++) {
      const altered = Buffer.from(box);
      altered[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => open(privateKey, METER, altered), `bit ${bit}`).toThrow(CredentialsError);
    }
  });

  it('do not open when cut or extended at any length', () => {
    const box = seal(publicKey, METER, { password: '00000000' });
    for (let length = 0; length < box.length; length++) {
      expect(() => open(privateKey, METER, box.subarray(0, length))).toThrow(CredentialsError);
    }
    expect(() => open(privateKey, METER, Buffer.concat([box, Buffer.of(0)]))).toThrow(CredentialsError);
  });

  it('do not open for another meter', () => {
    const box = seal(publicKey, METER, { password: '00000000' });
    expect(() => open(privateKey, '890b61bb-6594-48db-ad90-584d56754456', box)).toThrow(/another meter/);
  });

  it('name both keys when sealed for another key', () => {
    const other = createKeyPair();
    const box = seal(other.publicKey, METER, { password: '00000000' });
    expect(() => open(privateKey, METER, box)).toThrow(
      /sealed for key [0-9a-f]{16}, this process has key [0-9a-f]{16}/,
    );
  });

  it('show neither the values nor a repeated box', () => {
    const boxes = [1, 2].map(() => seal(publicKey, METER, { password: 'open sesame' }));
    expect(boxes[0]!.equals(boxes[1]!)).toBe(false);
    expect(boxes[0]!.includes('sesame')).toBe(false);
  });

  it('refuse a box whose ephemeral key has small order', () => {
    const box = seal(publicKey, METER, {});
    box.fill(0, 9, 41);
    expect(() => open(privateKey, METER, box)).toThrow(CredentialsError);
  });
});

describe('key texts', () => {
  it('derive the public key from the private one', () => {
    expect(publicKeyOf(privateKey)).toBe(publicKey);
  });

  it.each(['', 'amr-pub-', 'amr-pub-short', publicKey + 'A', publicKey.slice(0, -1), ` ${publicKey}`, privateKey])(
    'refuse %j as a public key',
    (text) => {
      expect(() => parsePublicKey(text)).toThrow(StartupError);
    },
  );

  it('refuse a public key as private key, without showing what was given', () => {
    expect(() => parsePrivateKey(publicKey)).toThrow(/AMR_CREDENTIALS_PRIVATE_KEY is not a key/);
    expect(() => parsePrivateKey('amr-key-my-secret')).not.toThrow(/my-secret/);
  });
});

describe('a ring of keys', () => {
  const old = createKeyPair();
  const ring = KeyRing.parse(`${privateKey}, ${old.privateKey}`);

  it('opens what was sealed for any of its keys, and names them', () => {
    for (const pair of [old, { publicKey }])
      expect(ring.open(METER, seal(pair.publicKey, METER, { password: '1' }))).toEqual({ password: '1' });
    expect(ring.ids).toEqual([keyIdOf(publicKey), keyIdOf(old.publicKey)]);
    expect(ring.publicKeys).toEqual([publicKey, old.publicKey]);
  });

  it('tells for which key a box was sealed', () => {
    expect(sealedFor(seal(old.publicKey, METER, {}))).toBe(keyIdOf(old.publicKey));
    expect(sealedFor(Buffer.from('no box'))).toBeUndefined();
  });

  it('does not open a box of another key, and names all of its own', () => {
    const box = seal(createKeyPair().publicKey, METER, { password: '1' });
    expect(() => ring.open(METER, box)).toThrow(new RegExp(`has key ${keyIdOf(publicKey)}, ${keyIdOf(old.publicKey)}`));
  });

  it.each(['', ',', `${privateKey},nonsense`])('is not made from %j', (text) => {
    expect(() => KeyRing.parse(text)).toThrow(/AMR_CREDENTIALS_PRIVATE_KEY is not a key/);
  });

  it('opens a box made with the exports in DER, which came before', () => {
    // Sealed by the first version for the key below.
    const key = 'amr-key-AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA';
    const box = Buffer.from(BOX_OF_BEFORE, 'base64');
    expect(open(key, METER, box)).toEqual({ password: '00000000' });
  });
});
