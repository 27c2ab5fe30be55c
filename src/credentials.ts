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

// DER around the 32 raw bytes of an X25519 key: SubjectPublicKeyInfo and PKCS #8 (RFC 8410, sections 4 and 7).
const SPKI_HEAD = Buffer.from('302a300506032b656e032100', 'hex');
const PKCS8_HEAD = Buffer.from('302e020100300506032b656e04220420', 'hex');

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
  return createPublicKey({ key: Buffer.concat([SPKI_HEAD, raw]), format: 'der', type: 'spki' });
}

/** Checks an `amr-key-…` text. Throws `StartupError`, without the text, when it is not one. */
export function parsePrivateKey(text: string): KeyObject {
  const raw = fromText(PRIVATE_PREFIX, text, 'AMR_CREDENTIALS_PRIVATE_KEY');
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, raw]), format: 'der', type: 'pkcs8' });
}

/** Seals `credentials` of one meter. Each call gives another box. */
export function seal(publicKey: string, meterId: string, credentials: Readonly<Record<string, string>>): Buffer {
  const recipient = parsePublicKey(publicKey);
  const ephemeral = generateKeyPairSync('x25519');
  const header = Buffer.concat([Buffer.of(VERSION), keyId(recipient), rawPublic(ephemeral.publicKey)]);
  const { key, nonce } = derive(ephemeral.privateKey, recipient, header);
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
 * Opens a box sealed for this key and this meter. Throws `CredentialsError` for a box of another key, of another meter,
 * altered, or not a box.
 */
export function open(privateKey: string, meterId: string, box: Buffer): Record<string, string> {
  if (box.length < HEADER_BYTES + TAG_BYTES || box[0] !== VERSION) {
    throw new CredentialsError('The stored credentials are not a sealed box of this version. Set them again.');
  }
  const own = parsePrivateKey(privateKey);
  const ownPublic = createPublicKey(own);
  const header = box.subarray(0, HEADER_BYTES);
  const sealedFor = header.subarray(1, 1 + KEY_ID_BYTES);
  if (!sealedFor.equals(keyId(ownPublic))) {
    throw new CredentialsError(
      `The credentials are sealed for key ${sealedFor.toString('hex')}, this process has key ${keyId(ownPublic).toString('hex')}. ` +
        'Give it the matching AMR_CREDENTIALS_PRIVATE_KEY, or set the credentials again.',
    );
  }
  try {
    const ephemeral = createPublicKey({
      key: Buffer.concat([SPKI_HEAD, header.subarray(1 + KEY_ID_BYTES)]),
      format: 'der',
      type: 'spki',
    });
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

function rawPublic(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' }).subarray(-KEY_BYTES);
}

function rawPrivate(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'pkcs8' }).subarray(-KEY_BYTES);
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
