import { createHmac } from 'node:crypto';
import { exportSPKI, importJWK, type JWTPayload } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OidcConfig } from '../../src/config.js';
import { Role } from '../../src/domain/enums.js';
import { DEFAULT_ORGANIZATION_ID } from '../../src/domain/organization.js';
import { createAuthentication, type Authenticate } from '../../src/graphql/authenticate.js';
import { createJwtVerifier } from '../../src/graphql/jwt.js';
import { silentLog } from '../support/broker.js';
import { startLocalIssuer, type LocalIssuer } from '../support/local-issuer.js';

let issuer: LocalIssuer;
let authenticate: Authenticate;

const SECOND = '01990000-0000-7000-8000-000000000002';
const roles = new Map([...Object.values(Role).map((role) => [role, [role]] as const), ['amr-staff', [Role.OPERATOR]]]);
const settings = (changes: Partial<OidcConfig> = {}): OidcConfig => ({
  issuer: issuer.url,
  audience: 'amr',
  jwksUrl: undefined,
  roleClaim: 'roles',
  roles,
  organizationClaim: undefined,
  ...changes,
});
const authenticationWith = (oidc: OidcConfig) =>
  createAuthentication({
    config: { auth: 'required', oidc },
    tokens: { verify: async () => undefined },
    findOrganization: async (name) => (name === 'Second' || name === SECOND ? SECOND : undefined),
    log: silentLog,
    verifyJwt: createJwtVerifier(oidc, { cooldownMs: 0 }),
  });

beforeAll(async () => {
  issuer = await startLocalIssuer();
  await issuer.addKey('first');
  await issuer.addKey('rsa', { alg: 'RS256' });
  authenticate = authenticationWith(settings());
});
afterAll(() => issuer?.close());

const bearer = async (claims?: JWTPayload, kid = 'first') => `Bearer ${await issuer.sign(kid, claims)}`;
const refusal = (authorization: string, by = authenticate) =>
  by(authorization).then(
    (identity) => ({ identity }) as never,
    (error: { extensions?: { code: string }; message: string }) => `${error.extensions?.code}: ${error.message}`,
  );
const soon = () => Math.floor(Date.now() / 1000);
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const claimsNow = () => ({ iss: issuer.url, aud: 'amr', sub: 'user-1', exp: soon() + 600, roles: ['admin'] });

describe('a JWT of the issuer', () => {
  it('gives subject, role, organization and expiry', async () => {
    const exp = soon() + 300;
    expect(await authenticate(await bearer({ exp, sub: 'anna' }))).toEqual({
      organizationId: DEFAULT_ORGANIZATION_ID,
      actor: 'anna',
      role: Role.VIEWER,
      expiresAt: exp * 1000,
    });
    expect(await authenticate(await bearer({ roles: 'openid amr-staff viewer' }, 'rsa'))).toMatchObject({
      role: Role.OPERATOR,
    });
  });

  it('takes roles and organization from where the settings say', async () => {
    const oidc = settings({ roleClaim: 'realm_access.roles', organizationClaim: 'https://example.com/organization' });
    const nested = authenticationWith(oidc);
    const claims = { realm_access: { roles: ['x', 'admin'] }, 'https://example.com/organization': 'Second' };
    expect(await nested(await bearer(claims))).toMatchObject({ role: Role.ADMIN, organizationId: SECOND });
    expect(await refusal(await bearer({ ...claims, 'https://example.com/organization': 'Third' }), nested)).toMatch(
      /^FORBIDDEN: .*names no active organization/,
    );
    expect(await refusal(await bearer({ realm_access: { roles: ['admin'] } }), nested)).toMatch(/^FORBIDDEN/);
  });

  it('asks for the keys once, and without discovery where their place is set', async () => {
    const direct = authenticationWith(settings({ jwksUrl: `${issuer.url}/keys` }));
    const before = { ...issuer.asked };
    for (let time = 0; time < 5; time++) await direct(await bearer());
    expect(issuer.asked['/keys']! - before['/keys']!).toBe(1);
    expect(issuer.asked['/.well-known/openid-configuration']).toBe(before['/.well-known/openid-configuration']);
  });
});

describe('a JWT is refused', () => {
  it.each<[string, JWTPayload, RegExp]>([
    ['of another issuer', { iss: 'https://evil.example.com' }, /claim "iss"/],
    ['for another audience', { aud: 'billing' }, /claim "aud"/],
    ['without an audience', { aud: undefined }, /claim "aud"/],
    ['that has expired', { exp: soon() - 60 }, /it has expired/],
    ['that never expires', { exp: undefined }, /claim "exp"/],
    ['that is not good yet', { nbf: soon() + 600 }, /claim "nbf"/],
    ['of nobody', { sub: undefined }, /claim "sub"/],
  ])('%s', async (_what, claims, reason) => {
    const said = await refusal(await bearer(claims));
    expect(said).toMatch(/^UNAUTHENTICATED/);
    expect(said).toMatch(reason);
  });

  it('without any of the roles', async () => {
    expect(await refusal(await bearer({ roles: ['visitor'] }))).toMatch(/^FORBIDDEN: .*holds none of viewer/);
    expect(await refusal(await bearer({ roles: undefined }))).toMatch(/^FORBIDDEN/);
    expect(await refusal(await bearer({ roles: { viewer: true } }))).toMatch(/^FORBIDDEN/);
  });

  it('without signature (alg none)', async () => {
    const unsigned = `${part({ alg: 'none' })}.${part(claimsNow())}.`;
    expect(await refusal(`Bearer ${unsigned}`)).toMatch(/^UNAUTHENTICATED/);
    expect(await refusal(`Bearer ${part({ alg: 'none', kid: 'first' })}.${part(claimsNow())}.e30`)).toMatch(
      /^UNAUTHENTICATED: .*algorithm/,
    );
  });

  it('signed by HMAC with the public key (algorithm confusion)', async () => {
    const jwk = issuer.published.get('rsa')!;
    const pem = await exportSPKI((await importJWK(jwk, 'RS256', { extractable: true })) as never);
    for (const secret of [pem, JSON.stringify(jwk)]) {
      const signed = `${part({ alg: 'HS256', kid: 'rsa' })}.${part(claimsNow())}`;
      const signature = createHmac('sha256', secret).update(signed).digest('base64url');
      expect(await refusal(`Bearer ${signed}.${signature}`)).toMatch(/^UNAUTHENTICATED: .*algorithm/);
    }
  });

  it('changed after it was signed, or signed by another key under a known name', async () => {
    const [header, , signature] = (await issuer.sign('first')).split('.');
    expect(await refusal(`Bearer ${header}.${part(claimsNow())}.${signature}`)).toMatch(/signature is wrong/);
    const other = await startLocalIssuer();
    try {
      await other.addKey('first');
      const forged = await other.sign('first', { iss: issuer.url, roles: ['admin'] });
      expect(await refusal(`Bearer ${forged}`)).toMatch(/signature is wrong/);
    } finally {
      await other.close();
    }
  });
});

describe('keys', () => {
  it('that are rotated are found, and the old ones no longer taken', async () => {
    const old = await bearer();
    await issuer.addKey('second', { publish: false });
    const early = await bearer({}, 'second');
    expect(await refusal(early)).toMatch(/^UNAUTHENTICATED: .*kid/);
    await issuer.addKey('second');
    issuer.published.delete('first');
    expect(await authenticate(await bearer({}, 'second'))).toMatchObject({ actor: 'user-1' });
    expect(await refusal(old)).toMatch(/^UNAUTHENTICATED: .*kid/);
    await issuer.addKey('first');
  });

  it('are not asked for at each unknown name', async () => {
    const calm = createJwtVerifier(settings());
    await calm(await issuer.sign('first'));
    const before = issuer.asked['/keys']!;
    await issuer.addKey('unknown', { publish: false });
    for (let time = 0; time < 5; time++) await expect(calm(await issuer.sign('unknown'))).rejects.toThrow(/kid/);
    expect(issuer.asked['/keys']).toBe(before);
  });

  it('of an issuer that calls itself otherwise, or is away, are a fault that is not the client’s', async () => {
    const fresh = authenticationWith(settings());
    issuer.name = 'https://somebody.else.example.com';
    try {
      expect(await refusal(await bearer(), fresh)).toMatch(/^undefined: .*calls itself/);
    } finally {
      issuer.name = issuer.url;
    }
    const gone = await startLocalIssuer();
    await gone.close();
    const away = authenticationWith(settings({ issuer: gone.url }));
    expect(await refusal(await bearer({ iss: gone.url }), away)).toMatch(/^undefined: .*discovery .* failed/);
  });
});
