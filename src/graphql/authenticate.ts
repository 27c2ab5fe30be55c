import { HeaderMap } from '@apollo/server';
import { GraphQLError } from 'graphql';
import type { Config } from '../config.js';
import { Role } from '../domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../domain/organization.js';
import { messageOf } from '../errors.js';
import type { VerifiedToken } from '../services/token-verifier.js';
import type { Logger } from '../telemetry.js';
import { isTokenSecret } from '../token-secret.js';
import { createJwtVerifier, JwtRefusedError, type VerifyJwt } from './jwt.js';

/** On whose behalf a request is carried out, and what it may do. */
export interface Identity {
  /** The only organization whose data the request can see or change. */
  readonly organizationId: string;
  /** Name of the token, or subject of the JWT; absent where nobody is asked who they are. */
  readonly actor?: string;
  readonly role: Role;
  /** Root fields that may be used; absent: all that the role allows. */
  readonly scopes?: readonly string[];
  /** When this ends, in milliseconds since the epoch; absent: never. */
  readonly expiresAt?: number;
  /** Aborts when this ends earlier. */
  readonly revoked?: AbortSignal;
}

/** Decides who sends a request, by the value of its `Authorization`. Throws `UNAUTHENTICATED` or `FORBIDDEN`. */
export type Authenticate = (authorization: string | undefined) => Promise<Identity>;

export interface AuthenticationOptions {
  config: Pick<Config, 'auth' | 'oidc'>;
  tokens: { verify(secret: string): Promise<VerifiedToken | undefined> };
  /** Id of the active organization with this id or name. */
  findOrganization: (idOrName: string) => Promise<string | undefined>;
  log: Logger;
  /** @default from the configuration */
  verifyJwt?: VerifyJwt;
}

/** The one place that decides who sends a request, for HTTP and WebSocket alike. */
export function createAuthentication(options: AuthenticationOptions): Authenticate {
  const { config, tokens } = options;
  if (config.auth === 'off') return async () => ({ organizationId: DEFAULT_ORGANIZATION_ID, role: Role.ADMIN });
  const verifyJwt = options.verifyJwt ?? (config.oidc && createJwtVerifier(config.oidc));
  return async (authorization) => {
    if (authorization === undefined) throw unauthenticated('This API asks for a token.');
    const bearer =
      authorization.length > MAX_LENGTH ? undefined : /^Bearer +([\w.~+/=-]+) *$/i.exec(authorization)?.[1];
    if (bearer === undefined) throw unauthenticated('The authorization is not of the form that this API takes.');
    if (isTokenSecret(bearer)) {
      const token = await tokens.verify(bearer);
      if (token === undefined) throw unauthenticated('The token is not known, has expired or was revoked.');
      return identityOfToken(token);
    }
    if (verifyJwt === undefined) throw unauthenticated('What was sent is not a token of this API.');
    return identityOfJwt(bearer, verifyJwt, options);
  };
}

function identityOfToken({ name, role, organizationId, scopes, expiresAt, revoked }: VerifiedToken): Identity {
  return {
    organizationId,
    actor: name,
    role,
    ...(scopes && { scopes }),
    ...(expiresAt !== null && { expiresAt }),
    revoked,
  };
}

async function identityOfJwt(
  token: string,
  verify: VerifyJwt,
  { config, findOrganization, log }: AuthenticationOptions,
): Promise<Identity> {
  const { subject, role, organization, expiresAt } = await verify(token).catch((error: unknown) => {
    if (error instanceof JwtRefusedError) throw unauthenticated(`The JWT is refused: ${error.message}.`);
    log.warn({ err: messageOf(error) }, 'JWTs cannot be verified');
    throw error;
  });
  const { roleClaim, roles, organizationClaim } = config.oidc!;
  if (role === undefined) {
    throw refused(`The JWT's claim ${JSON.stringify(roleClaim)} holds none of ${[...roles.keys()].join(', ')}.`);
  }
  if (organizationClaim === undefined)
    return { organizationId: DEFAULT_ORGANIZATION_ID, actor: subject, role, expiresAt };
  const organizationId = organization === undefined ? undefined : await findOrganization(organization);
  if (organizationId === undefined) {
    throw refused(`The JWT's claim ${JSON.stringify(organizationClaim)} names no active organization.`);
  }
  return { organizationId, actor: subject, role, expiresAt };
}

/** A header's bound is that of HTTP; a WebSocket's message may be far larger. */
const MAX_LENGTH = 16_000;

const HOW_TO =
  'Send `Authorization: Bearer <token>`, over WebSocket as `authorization` in the payload of connection_init. `amr token create` makes a token.';

function unauthenticated(why: string): GraphQLError {
  const headers = new HeaderMap([['www-authenticate', 'Bearer']]);
  return new GraphQLError(`${why} ${HOW_TO}`, {
    extensions: { code: 'UNAUTHENTICATED', http: { status: 401, headers } },
  });
}

function refused(why: string): GraphQLError {
  const cure = 'Whoever manages the issuer gives it; see AMR_OIDC_ROLES and AMR_OIDC_ORGANIZATION_CLAIM.';
  return new GraphQLError(`${why} ${cure}`, { extensions: { code: 'FORBIDDEN', http: { status: 403 } } });
}
