import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
} from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { StartupError } from './errors.js';

/**
 * Sealed boxes for meter credentials: whoever holds the public key (the API) can seal, only the private key (pollers)
 * opens. X25519 (RFC 7748) with an ephemeral key, HKDF-SHA256 (RFC 5869), AES-256-GCM (NIST SP 800-38D).
 *
 * Layout: version (1 byte), key id (8), ephemeral public key (32), ciphertext, tag (16). Header and meter id are
 * authenticated, so that a box copied to another meter does not open.
 */
const VERSION = 1;
const KEY_BYTES = 32;
const KEY_ID_BYTES = 8;
const TAG_BYTES = 16;
const HEADER_BYTES = 1 + KEY_ID_BYTES + KEY_BYTES;
const NONCE_BYTES = 12;

const PUBLIC_PREFIX = 'amr-pub-';
const PRIVATE_PREFIX = 'amr-key-';

// Keys go in and out as JWK (RFC 8037): as DER each way takes half a millisecond, longer than all the rest (Node 20).
// A private JWK would need its public half as well, so this one is PKCS #8 (RFC 8410, section 7).
const PKCS8_HEAD = Buffer.from('302e020100300506032b656e04220420', 'hex');
const JWK = { kty: 'OKP', crv: 'X25519' };

/** A box that cannot be opened. Says why, never what is inside. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
}

/** A new pair as text: `amr-pub-…` and `amr-key-…`, each with 43 base64url characters. */
export function createKeyPair(): { publicKey: string; privateKey: string } {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  return {
    publicKey: toText(PUBLIC_PREFIX, rawPublic(publicKey)),
    privateKey: toText(PRIVATE_PREFIX, rawPrivate(privateKey)),
  };
}

/** The public key that belongs to `privateKey`. Throws `StartupError` when it is not a private key. */
export function publicKeyOf(privateKey: string): string {
  return toText(PUBLIC_PREFIX, rawPublic(createPublicKey(parsePrivateKey(privateKey))));
}

/** Checks an `amr-pub-…` text. Throws `StartupError` when it is not one. */
export function parsePublicKey(text: string): KeyObject {
  const raw = fromText(PUBLIC_PREFIX, text, 'AMR_CREDENTIALS_PUBLIC_KEY');
  return publicFrom(raw);
}

/** Checks an `amr-key-…` text. Throws `StartupError`, without the text, when it is not one. */
export function parsePrivateKey(text: string): KeyObject {
  const raw = fromText(PRIVATE_PREFIX, text, 'AMR_CREDENTIALS_PRIVATE_KEY');
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, raw]), format: 'der', type: 'pkcs8' });
}

/** The name of a key pair: 16 hexadecimal digits, the same for both of its keys. */
export function keyIdOf(publicKey: string): string {
  return recipientOf(publicKey).id.toString('hex');
}

/** The name of the pair a box was sealed for, whoever can open it; undefined where it is no box of this version. */
export function sealedFor(box: Buffer): string | undefined {
  return isBox(box) ? box.subarray(1, 1 + KEY_ID_BYTES).toString('hex') : undefined;
}

/** Seals `credentials` of one meter. Each call gives another box. */
export function seal(publicKey: string, meterId: string, credentials: Readonly<Record<string, string>>): Buffer {
  const recipient = recipientOf(publicKey);
  const ephemeral = generateKeyPairSync('x25519');
  const header = Buffer.concat([Buffer.of(VERSION), recipient.id, rawPublic(ephemeral.publicKey)]);
  const { key, nonce } = derive(ephemeral.privateKey, recipient.key, header);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(
    associatedData(header, meterId),
  );
  return Buffer.concat([
    header,
    cipher.update(JSON.stringify(credentials), 'utf8'),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}

/**
 * The private keys that one process holds: the current one, and during a rotation those before it. A box names its key, so
 * that no key is tried in vain.
 */
export class KeyRing {
  private constructor(private readonly keys: ReadonlyMap<string, KeyObject>) {}

  /**
   * @param text one or several `amr-key-…`, separated by commas or blanks; the first is the current one
   * @throws StartupError, without the text, when one of them is not a private key
   */
  static parse(text: string): KeyRing {
    const parts = text.split(/[\s,]+/).filter((part) => part !== '');
    const keys = (parts.length > 0 ? parts : ['']).map(parsePrivateKey);
    return new KeyRing(new Map(keys.map((key) => [keyId(createPublicKey(key)).toString('hex'), key])));
  }

  /** Names of the pairs, the current one first. */
  get ids(): string[] {
    return [...this.keys.keys()];
  }

  /** The public keys of the pairs, in the same order. */
  get publicKeys(): string[] {
    return [...this.keys.values()].map((key) => toText(PUBLIC_PREFIX, rawPublic(createPublicKey(key))));
  }

  /**
   * Opens a box sealed for one of these keys and for this meter. Throws `CredentialsError` for a box of another key, of
   * another meter, altered, or not a box.
   */
  open(meterId: string, box: Buffer): Record<string, string> {
    const id = sealedFor(box);
    if (id === undefined) {
      throw new CredentialsError('The stored credentials are not a sealed box of this version. Set them again.');
    }
    const own = this.keys.get(id);
    if (own === undefined) {
      throw new CredentialsError(
        `The credentials are sealed for key ${id}, this process has key ${this.ids.join(', ')}. ` +
          'Give it the matching AMR_CREDENTIALS_PRIVATE_KEY, or set the credentials again.',
      );
    }
    return openWith(own, meterId, box);
  }
}

/** As `KeyRing.open`, with the text of one key or several. */
export function open(privateKeys: string, meterId: string, box: Buffer): Record<string, string> {
  return KeyRing.parse(privateKeys).open(meterId, box);
}

function openWith(own: KeyObject, meterId: string, box: Buffer): Record<string, string> {
  const header = box.subarray(0, HEADER_BYTES);
  try {
    const ephemeral = publicFrom(header.subarray(1 + KEY_ID_BYTES));
    const { key, nonce } = derive(own, ephemeral, header);
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
      .setAAD(associatedData(header, meterId))
      .setAuthTag(box.subarray(box.length - TAG_BYTES));
    const text = Buffer.concat([decipher.update(box.subarray(HEADER_BYTES, box.length - TAG_BYTES)), decipher.final()]);
    return JSON.parse(text.toString('utf8')) as Record<string, string>;
  } catch {
    // The reasons that node:crypto gives do not tell these apart, and an attacker should not be told.
    throw new CredentialsError('The credentials were altered or belong to another meter. Set them again.');
  }
}

const isBox = (box: Buffer): boolean => box.length >= HEADER_BYTES + TAG_BYTES && box[0] === VERSION;

/** Parsing a key takes longer than sealing with it, and a process seals with one. */
const RECIPIENTS = new LRUCache<string, { key: KeyObject; id: Buffer }>({ max: 16 });

function recipientOf(publicKey: string): { key: KeyObject; id: Buffer } {
  const known = RECIPIENTS.get(publicKey);
  if (known) return known;
  const key = parsePublicKey(publicKey);
  const recipient = { key, id: keyId(key) };
  RECIPIENTS.set(publicKey, recipient);
  return recipient;
}

// The ephemeral key serves one box, so key and nonce may both come from it. The header is bound here as well, because
// X25519 ignores the top bit of a public key and would give the same secret for two headers.
function derive(own: KeyObject, other: KeyObject, header: Buffer): { key: Buffer; nonce: Buffer } {
  const secret = diffieHellman({ privateKey: own, publicKey: other });
  const material = Buffer.from(hkdfSync('sha256', secret, header, 'amr meter credentials', KEY_BYTES + NONCE_BYTES));
  return { key: material.subarray(0, KEY_BYTES), nonce: material.subarray(KEY_BYTES) };
}

function associatedData(header: Buffer, meterId: string): Buffer {
  return Buffer.concat([header, Buffer.from(meterId.toLowerCase(), 'utf8')]);
}

function keyId(publicKey: KeyObject): Buffer {
  return createHash('sha256').update(rawPublic(publicKey)).digest().subarray(0, KEY_ID_BYTES);
}

function publicFrom(raw: Buffer): KeyObject {
  return createPublicKey({ key: { ...JWK, x: raw.toString('base64url') }, format: 'jwk' });
}

function rawPublic(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).x!, 'base64url');
}

function rawPrivate(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).d!, 'base64url');
}

function toText(prefix: string, raw: Buffer): string {
  return prefix + raw.toString('base64url');
}

function fromText(prefix: string, text: string, variable: string): Buffer {
  const raw = Buffer.from(text.slice(prefix.length), 'base64url');
  // Encoding again catches characters that the decoder skips.
  if (raw.length !== KEY_BYTES || toText(prefix, raw) !== text) {
    throw new StartupError(
      `${variable} is not a key: \`${prefix}\` and 43 characters are expected. Make a pair with \`amr keys create\`.`,
    );
  }
  return raw;
}
