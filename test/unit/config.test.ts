import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeVariables, loadConfig } from '../../src/config.js';
import { StartupError } from '../../src/errors.js';

function problemOf(env: NodeJS.ProcessEnv): string {
  try {
    loadConfig(env);
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError);
    return (error as Error).message;
  }
  throw new Error('the settings were accepted');
}

describe('settings', () => {
  it('have a default for everything', () => {
    expect(loadConfig({})).toMatchObject({
      databaseUrl: undefined,
      amqpUrl: 'memory:',
      httpHost: '127.0.0.1',
      httpPort: 4000,
      dataDir: resolve('.data'),
      demo: true,
      queuePrefix: '',
      logLevel: 'info',
      healthPort: undefined,
    });
  });

  it('take durations in seconds and give milliseconds', () => {
    expect(loadConfig({ AMR_START_BY_SECONDS: '7', AMR_SESSION_CAP_SECONDS: '60' })).toMatchObject({
      startByMs: 7000,
      sessionCapMs: 60_000,
    });
  });

  it('treat an empty value as not set', () => {
    expect(loadConfig({ AMR_HTTP_PORT: '', DATABASE_URL: '' })).toMatchObject({
      httpPort: 4000,
      databaseUrl: undefined,
    });
  });

  it('ignore what belongs to other programs', () => {
    expect(() => loadConfig({ PATH: '/bin', NODE_ENV: 'test' })).not.toThrow();
  });

  it.each([
    ['DATABASE_URL', 'localhost:5432', /DATABASE_URL="localhost:5432" must be a URL such as postgresql:/],
    ['DATABASE_URL', 'mysql://host/db', /must be a URL such as postgresql:/],
    ['AMQP_URL', 'http://host', /AMQP_URL=.* must be a URL such as amqp:/],
    ['AMR_HTTP_PORT', '65536', /AMR_HTTP_PORT="65536" must be a whole number from 0 to 65535/],
    ['AMR_HTTP_PORT', 'http', /must be a whole number from 0 to 65535/],
    ['AMR_HTTP_PORT', '0x10a0', /must be a whole number from 0 to 65535/],
    ['AMR_HTTP_PORT', ' 4102 ', /must be a whole number from 0 to 65535/],
    ['AMR_HTTP_PORT', '+80', /must be a whole number from 0 to 65535/],
    ['AMR_HTTP_PORT', '80.5', /must be a whole number from 0 to 65535/],
    ['AMR_HEALTH_PORT', '-1', /must be a whole number from 0 to 65535/],
    ['AMR_DEMO', 'yes', /AMR_DEMO="yes" must be one of on, off/],
    ['AMR_QUEUE_PREFIX', 'a b', /AMR_QUEUE_PREFIX="a b" may hold up to 60/],
    ['AMR_LOG_LEVEL', 'verbose', /must be one of trace, debug, info/],
    ['AMR_LOG_FORMAT', 'xml', /must be one of json, pretty/],
    ['AMR_MAX_SESSIONS', '0', /must be a whole number from 1 to 20000/],
    ['AMR_START_BY_SECONDS', '1501', /must be a whole number from 1 to 1500/],
    ['AMR_SESSION_CAP_SECONDS', '0', /must be a whole number from 1 to 1500/],
    ['AMR_REPLY_TIMEOUT_SECONDS', 'soon', /must be a whole number from 1 to 120/],
    ['AMR_CONNECT_TIMEOUT_SECONDS', '121', /must be a whole number from 1 to 120/],
    ['AMR_INGEST_BATCH', '1e9', /must be a whole number from 1 to 50000/],
    ['AMR_INGEST_WINDOW_MS', '10001', /must be a whole number from 0 to 10000/],
    ['AMR_RUNS_KEPT_DAYS', '0', /must be a whole number from 1 to 36500/],
    ['AMR_SESSIONS_KEPT_DAYS', 'long', /must be a whole number from 1 to 36500/],
  ])('refuse %s=%s, saying what it must be and what it is for', (name, value, told) => {
    const problem = problemOf({ [name]: value });
    expect(problem).toMatch(told);
    expect(problem).toContain(describeVariables().find((variable) => variable.name === name)!.about);
  });

  it('suggest the known name for a slip of the keyboard', () => {
    expect(problemOf({ AMR_HTP_PORT: '4000' })).toMatch(/AMR_HTP_PORT is not a setting.*did you mean AMR_HTTP_PORT\?/);
    expect(problemOf({ AMR_CREDENTIALS_PRIVATE_KEYFILE: '1' })).toMatch(/did you mean AMR_CREDENTIALS_PRIVATE_KEY\?/);
    for (const name of ['AMR_SOMETHING_ELSE', 'AMR_FOO', 'AMR_MODE_X', 'AMR_'])
      expect(problemOf({ [name]: '1' })).not.toMatch(/did you mean/);
  });

  it('list every problem at once', () => {
    const problem = problemOf({ AMR_DEMO: 'yes', AMR_HTTP_PORT: 'x', AMR_NONSENSE: '1' });
    expect(problem).toMatch(/3 wrong settings/);
    for (const name of ['AMR_DEMO', 'AMR_HTTP_PORT', 'AMR_NONSENSE']) expect(problem).toContain(name);
  });

  it('do not show passwords or keys in an error', () => {
    expect(problemOf({ DATABASE_URL: 'mysql://user:secret@host/db' })).not.toContain('secret');
    expect(problemOf({ AMQP_URL: 'http://user:p@ss/secret@host' })).not.toContain('secret');
    expect(problemOf({ DATABASE_URL: 'user:secret@host/db' })).not.toContain('secret');
    expect(problemOf({ AMR_CREDENTIALS_PRIVATE_KEYS: 'amr-key-secret' })).not.toContain('secret');
  });
});

describe('.env.example', () => {
  const example = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');

  it('lists exactly the known variables, in their order', () => {
    const listed = [...example.matchAll(/^#? ?([A-Z_]+)=/gm)].map((match) => match[1]);
    expect(listed).toEqual(describeVariables().map(({ name }) => name));
  });

  it('says of each what it is for and its default', () => {
    for (const variable of describeVariables()) {
      expect(example).toContain(`# ${variable.about}\n#${variable.name}=${variable.default ?? ''}\n`);
    }
  });
});

describe('access', () => {
  it('is asked for unless it is switched off, on loopback only', () => {
    expect(loadConfig({}).auth).toBe('required');
    expect(loadConfig({ AMR_AUTH: 'off', AMR_HTTP_HOST: '::1' }).auth).toBe('off');
    expect(problemOf({ AMR_AUTH: 'off', AMR_HTTP_HOST: '0.0.0.0' })).toContain('AMR_AUTH=off would open the API');
  });

  it('needs an audience with an issuer, over a way that nobody can stand in', () => {
    expect(problemOf({ AMR_OIDC_ISSUER: 'https://login.example.com' })).toContain('AMR_OIDC_AUDIENCE is not set');
    expect(problemOf({ AMR_OIDC_ISSUER: 'http://login.example.com', AMR_OIDC_AUDIENCE: 'amr' })).toContain('https URL');
    expect(loadConfig({ AMR_OIDC_ISSUER: 'http://127.0.0.1:9', AMR_OIDC_AUDIENCE: 'amr' }).oidc).toMatchObject({
      issuer: 'http://127.0.0.1:9',
      roleClaim: 'roles',
      organizationClaim: undefined,
    });
  });

  it('maps what a claim holds to roles', () => {
    const env = { AMR_OIDC_ISSUER: 'https://login.example.com', AMR_OIDC_AUDIENCE: 'amr' };
    const { roles } = loadConfig({ ...env, AMR_OIDC_ROLES: '/amr/admins=admin, a=b=viewer' }).oidc!;
    expect([...roles]).toEqual([
      ['/amr/admins', ['admin']],
      ['a=b', ['viewer']],
    ]);
    expect(problemOf({ AMR_OIDC_ROLES: 'staff=root' })).toContain('roles are viewer, operator and admin');
  });

  it('never shows a token', () => {
    expect(problemOf({ AMR_TOKEN: 'very secret' })).not.toContain('secret');
  });
});
