import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import type { OidcConfig } from '../config.js';
import type { Role } from '../domain/enums.js';
import { highestRole } from '../domain/role.js';
import { messageOf } from '../errors.js';

/** Whoever holds the public key could sign with it, were symmetric algorithms allowed. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];
const CLOCK_TOLERANCE_SECONDS = 5;
const FETCH_TIMEOUT_MS = 5_000;
/** Keys are read again after this time, and when one is unknown: then no sooner than `cooldownMs` after the last time. */
const KEYS_MAX_AGE_MS = 600_000;
const COOLDOWN_MS = 30_000;
const MAX_DISCOVERY_BYTES = 100_000;

/** Who a JWT says that its bearer is. */
export interface JwtIdentity {
  readonly subject: string;
  /** Undefined where none of its roles is one of ours. */
  readonly role: Role | undefined;
  /** Value of the organization's claim; undefined where that is absent. */
  readonly organization: string | undefined;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** A JWT that proves nothing; the message says why, without any part of it. */
export class JwtRefusedError extends Error {
  override readonly name = 'JwtRefusedError';
}

export type VerifyJwt = (token: string) => Promise<JwtIdentity>;

/**
 * Verifies JWTs of one OpenID Connect issuer: signature, issuer, audience and expiry. Nothing is fetched before the first.
 * Throws `JwtRefusedError`, or another error when the issuer's keys cannot be had.
 */
export function createJwtVerifier(config: OidcConfig, { cooldownMs = COOLDOWN_MS } = {}): VerifyJwt {
  const keySet = keysOf(config, cooldownMs);
  return async (token) => {
    let payload: JWTPayload;
    try {
      const verified = await jwtVerify(token, await keySet(), {
        issuer: config.issuer,
        audience: config.audience,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        requiredClaims: ['sub', 'exp'],
      });
      payload = verified.payload;
    } catch (error) {
      const reason = refusalOf(error);
      if (reason === undefined) throw error;
      throw new JwtRefusedError(reason, { cause: error });
    }
    const organization = config.organizationClaim === undefined ? undefined : claim(payload, config.organizationClaim);
    return {
      subject: payload.sub!,
      role: highestRole(textsIn(claim(payload, config.roleClaim)).flatMap((value) => config.roles.get(value) ?? [])),
      organization: typeof organization === 'string' ? organization : undefined,
      expiresAt: payload.exp! * 1000,
    };
  };
}

/** The issuer's keys, whose place is asked for once; asked again, at most once per cool-down, where that failed. */
function keysOf({ issuer, jwksUrl }: OidcConfig, cooldownMs: number): () => Promise<JWTVerifyGetKey> {
  const remote = (url: string) =>
    createRemoteJWKSet(new URL(url), {
      timeoutDuration: FETCH_TIMEOUT_MS,
      cacheMaxAge: KEYS_MAX_AGE_MS,
      cooldownDuration: cooldownMs,
    });
  if (jwksUrl !== undefined) {
    const keys = remote(jwksUrl);
    return async () => keys;
  }
  let found: Promise<JWTVerifyGetKey> | undefined;
  let askedAt = -Infinity;
  return () => {
    if (found !== undefined) return found;
    const asking = discover(issuer).then(remote);
    found = asking;
    askedAt = performance.now();
    asking.catch(() => {
      const wait = Math.max(0, askedAt + cooldownMs - performance.now());
      setTimeout(() => (found = undefined), wait).unref();
    });
    return asking;
  };
}

const Discovery = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });

/** Where an issuer has its keys (OpenID Connect Discovery 1.0, section 4). */
async function discover(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(FETCH_TIMEOUT_MS), redirect: 'error' });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    const text = await response.text();
    if (text.length > MAX_DISCOVERY_BYTES) throw new Error('its answer is too long');
    const { issuer: itself, jwks_uri } = Discovery.parse(JSON.parse(text));
    // Another issuer's keys would prove nothing about this one (section 4.3).
    if (itself !== issuer) throw new Error(`it calls itself ${JSON.stringify(itself.slice(0, 200))}`);
    return jwks_uri;
  } catch (error) {
    throw new Error(
      `The issuer's discovery at ${url} failed: ${messageOf(error)}. Correct AMR_OIDC_ISSUER, or set AMR_OIDC_JWKS_URL.`,
      { cause: error },
    );
  }
}

/** What a client can be told; undefined where the fault is not the token's. */
function refusalOf(error: unknown): string | undefined {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JWTClaimValidationFailed)
    return `its claim ${JSON.stringify(error.claim)} is not accepted`;
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported)
    return 'its algorithm is not accepted';
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
    return 'its key (kid) is not one of the issuer’s';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature is wrong';
  if (error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid) return 'it is not a signed JWT';
  return undefined;
}

/** The claim of this name, or at this path: names may hold dots themselves, as URLs do. */
function claim(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  let value: unknown = payload;
  for (const key of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/** The texts of a list, or the words of one text. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return value.split(' ');
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}
