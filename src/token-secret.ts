import { createHash, randomBytes } from 'node:crypto';

/** Tells people and secret scanners what they have found. */
const PREFIX = 'amr_';
/** 256 bits: nobody guesses it, so a plain digest is enough to keep it by. */
const RANDOM_BYTES = 32;

/** A new API token: `amr_` and 43 characters of base64url. */
export function createTokenSecret(): string {
  return PREFIX + randomBytes(RANDOM_BYTES).toString('base64url');
}

/** Whether `text` has the form of an API token. */
export function isTokenSecret(text: string): boolean {
  return /^amr_[A-Za-z0-9_-]{43}$/.test(text);
}

/** What is stored of a token: SHA-256, in hexadecimal. */
export function digestOfToken(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
