import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK, type JWTPayload } from 'jose';

export interface LocalIssuer {
  readonly url: string;
  /** How often each path was asked for. */
  readonly asked: Record<string, number>;
  /** The public keys it publishes, by kid. */
  readonly published: Map<string, JWK>;
  /** Makes a key, and publishes it unless told otherwise. */
  addKey(kid: string, options?: { publish?: boolean; alg?: string }): Promise<void>;
  /** A JWT of this issuer for `amr`, good for ten minutes, signed with the key `kid`; claims replace the usual ones. */
  sign(kid: string, claims?: JWTPayload): Promise<string>;
  /** What discovery says of the issuer's name. @default its URL */
  name: string;
  close(): Promise<void>;
}

/** An OpenID Connect issuer on loopback: discovery, keys, and no login. */
export async function startLocalIssuer(): Promise<LocalIssuer> {
  const keys = new Map<string, { key: CryptoKey; alg: string }>();
  const published = new Map<string, JWK>();
  const asked: Record<string, number> = {};
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked[path] = (asked[path] ?? 0) + 1;
    const answers: Record<string, unknown> = {
      '/.well-known/openid-configuration': { issuer: issuer.name, jwks_uri: `${issuer.url}/keys` },
      '/keys': { keys: [...published.values()] },
    };
    const answer = answers[path];
    response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? {}));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer: LocalIssuer = {
    url,
    name: url,
    asked,
    published,
    addKey: async (kid, { publish = true, alg = 'ES256' } = {}) => {
      const { privateKey, publicKey } = await generateKeyPair(alg);
      keys.set(kid, { key: privateKey, alg });
      if (publish) published.set(kid, { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' });
    },
    sign: (kid, claims = {}) => {
      const { key, alg } = keys.get(kid)!;
      const now = Math.floor(Date.now() / 1000);
      return new SignJWT({
        iss: url,
        aud: 'amr',
        sub: 'user-1',
        iat: now,
        exp: now + 600,
        roles: ['viewer'],
        ...claims,
      })
        .setProtectedHeader({ alg, kid })
        .sign(key);
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return issuer;
}
