import { resolve } from 'node:path';
import { z } from 'zod';
import { Role } from './domain/enums.js';
import { StartupError } from './errors.js';
import { isLoopback } from './loopback.js';

/** Decimal digits, with a message that names the range; an empty value counts as not set. */
const integer = (min: number, max: number) =>
  z
    .string()
    .refine((text) => /^\d+$/.test(text) && Number(text) >= min && Number(text) <= max, {
      error: `must be a whole number from ${min} to ${max}`,
    })
    .transform(Number);

const url = (schemes: readonly string[], example: string) =>
  z.string().refine((value) => URL.canParse(value) && schemes.includes(new URL(value).protocol), {
    error: `must be a URL such as ${example}`,
  });

const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });

/** A URL that nobody on the way can answer in place of its owner. */
const trustedUrl = (example: string) =>
  z.string().refine(
    (value) => {
      if (!URL.canParse(value)) return false;
      const { protocol, hostname } = new URL(value);
      return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
    },
    { error: `must be an https URL such as ${example} (http only on this machine)` },
  );

const ROLES: ReadonlySet<string> = new Set(Object.values(Role));

/** `value=role,value=role`; a value may stand for several roles, of which the highest counts. */
const roleMap = z
  .string()
  .refine(
    (text) => text.split(',').every((pair) => /^.+=/.test(pair) && ROLES.has(pair.slice(pair.lastIndexOf('=') + 1))),
    {
      error: 'must be pairs such as amr-admins=admin,amr-operators=operator; roles are viewer, operator and admin',
    },
  );

function rolesOf(text: string): ReadonlyMap<string, readonly Role[]> {
  const roles = new Map<string, Role[]>();
  for (const pair of text.split(',')) {
    const end = pair.lastIndexOf('=');
    const value = pair.slice(0, end).trim();
    roles.set(value, [...(roles.get(value) ?? []), pair.slice(end + 1) as Role]);
  }
  return roles;
}

/** One entry per variable: its schema, its default and the sentence `.env.example` and error messages use. */
const VARIABLES = {
  DATABASE_URL: {
    schema: url(['postgres:', 'postgresql:'], 'postgresql://user:password@host:5432/database').optional(),
    about: 'PostgreSQL 15 or newer. Not set: `amr up` starts an embedded PostgreSQL in the data folder.',
  },
  AMQP_URL: {
    schema: url(['amqp:', 'amqps:', 'memory:'], 'amqp://user:password@host:5672 (or memory:)').optional(),
    about:
      'RabbitMQ 3.10 or newer. `amr up` also takes `memory:`, its in-process broker, which is its default; workers of their own need RabbitMQ.',
  },
  AMR_HTTP_HOST: {
    schema: z.string().min(1).default('127.0.0.1'),
    about: 'Address the API and the health port listen on.',
  },
  AMR_HTTP_PORT: {
    schema: integer(0, 65535).default(4000),
    about: 'Port of the API; 0 takes any free one and prints it.',
  },
  AMR_AUTH: {
    schema: oneOf(['required', 'off']).default('required'),
    about:
      'Whether the API asks for a token. `off` lets everybody do everything, and only where AMR_HTTP_HOST is loopback.',
  },
  AMR_OIDC_ISSUER: {
    schema: trustedUrl('https://login.example.com/realms/amr').optional(),
    about: 'OpenID Connect issuer whose JWTs the API accepts besides its own tokens. Not set: none.',
  },
  AMR_OIDC_AUDIENCE: {
    schema: z.string().min(1).optional(),
    about: 'Audience that JWTs must be for. Needed with AMR_OIDC_ISSUER.',
  },
  AMR_OIDC_JWKS_URL: {
    schema: trustedUrl('https://login.example.com/jwks').optional(),
    about: "Where the issuer has its keys. Not set: where the issuer's discovery says.",
  },
  AMR_OIDC_ROLE_CLAIM: {
    schema: z.string().min(1).default('roles'),
    about: 'Claim with the roles of a user, a list or words; a path such as realm_access.roles where it lies deeper.',
  },
  AMR_OIDC_ROLES: {
    schema: roleMap.default('viewer=viewer,operator=operator,admin=admin'),
    about: 'What values of that claim mean: `value=role` pairs, such as amr-admins=admin.',
  },
  AMR_OIDC_ORGANIZATION_CLAIM: {
    schema: z.string().min(1).optional(),
    about: 'Claim with the id or name of the organization. Not set: every user belongs to the default organization.',
  },
  AMR_TOKEN: {
    schema: z
      .string()
      .regex(/^[\w.~+/=-]+$/, 'must be a token of the API, such as `amr token create` makes')
      .optional(),
    about: 'Token that commands send to the API. Not set: the one that `amr up` keeps in the data folder, if any.',
  },
  AMR_API_MAX_COST: {
    schema: integer(100, 10_000_000).default(50_000),
    about:
      'Operations that may cost more are refused: 1 for each object, lists as long as they can be (see docs/api.md).',
  },
  AMR_API_MAX_DEPTH: {
    schema: integer(4, 100).default(16),
    about: 'Levels of fields in one operation. The introspection of GraphiQL needs 15.',
  },
  AMR_API_TIMEOUT_SECONDS: {
    schema: integer(1, 600).default(30),
    about: 'Longest time for a query or mutation; then its SQL is cancelled and it ends with TIMEOUT.',
  },
  AMR_API_RATE: {
    schema: integer(0, 1_000_000).default(1_000),
    about:
      'Requests and WebSocket operations per second of one caller (token, else address); ten times as many at once. 0: no limit.',
  },
  AMR_API_MAX_CONNECTIONS: {
    schema: integer(1, 100_000).default(200),
    about:
      'WebSockets of one caller (token or address) open at once. Behind a proxy all callers without a token share its address.',
  },
  AMR_API_MAX_SUBSCRIPTIONS: {
    schema: integer(1, 1_000_000).default(10_000),
    about: 'Subscriptions of one caller (token, else address) open at once.',
  },
  AMR_INTROSPECTION: {
    schema: oneOf(['on', 'off']).default('on'),
    about: 'Whether the API answers questions about its schema; GraphiQL and code generators ask them.',
  },
  AMR_OPERATIONS_FILE: {
    schema: z.string().min(1).optional(),
    about: 'JSON file of persisted operations: an object from id to GraphQL document. Read at start.',
  },
  AMR_ONLY_PERSISTED_OPERATIONS: {
    schema: oneOf(['on', 'off']).default('off'),
    about: 'Whether operations that are not in AMR_OPERATIONS_FILE are refused. Those of `amr` itself always pass.',
  },
  AMR_DATA_DIR: {
    schema: z.string().min(1).default('.data'),
    about: 'Folder of embedded mode: database, keys, truth files.',
  },
  AMR_DEMO: { schema: oneOf(['on', 'off']).default('on'), about: 'Whether `amr up` runs the simulated demo fleet.' },
  AMR_CREDENTIALS_PUBLIC_KEY: {
    schema: z.string().min(1).optional(),
    about: 'Seals meter credentials (API). Made by `amr keys create`; embedded mode makes its own.',
  },
  AMR_CREDENTIALS_PRIVATE_KEY: {
    schema: z.string().min(1).optional(),
    about:
      'Opens meter credentials (poller only). Made by `amr keys create`; embedded mode makes its own. While keys are rotated several, separated by commas.',
  },
  AMR_QUEUE_PREFIX: {
    schema: z
      .string()
      .regex(/^[A-Za-z0-9_.-]{0,60}$/, 'may hold up to 60 letters, digits, dots, dashes and underscores')
      .default(''),
    about: 'Put before every queue and exchange name, so that several installations share one broker.',
  },
  AMR_LOG_LEVEL: {
    schema: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
    about: 'Least severe log line written.',
  },
  AMR_LOG_FORMAT: {
    schema: oneOf(['json', 'pretty']).optional(),
    about: '`json` or `pretty`. Not set: pretty on a terminal, else json.',
  },
  AMR_HEALTH_PORT: {
    schema: integer(0, 65535).optional(),
    about: 'Port for /health/live, /health/ready and /metrics of scheduler, poller and ingester. Not set: none.',
  },
  AMR_MAX_SESSIONS: {
    schema: integer(1, 20000).default(200),
    about: 'Meter sessions one poller holds open at once, per queue.',
  },
  AMR_START_BY_SECONDS: {
    schema: integer(1, 1500).default(120),
    about: 'A dispatched session that no poller starts within this time is dispatched again.',
  },
  AMR_SESSION_CAP_SECONDS: {
    schema: integer(1, 1500).default(300),
    about: 'Longest time one meter session may take; the poller then destroys the connection.',
  },
  AMR_REPLY_TIMEOUT_SECONDS: { schema: integer(1, 120).default(20), about: 'Longest wait for one answer of a meter.' },
  AMR_CONNECT_TIMEOUT_SECONDS: {
    schema: integer(1, 120).default(10),
    about: 'Longest wait for the connection to a meter.',
  },
  AMR_INGEST_BATCH: {
    schema: integer(1, 50000).default(5000),
    about: 'Readings in one database transaction of an ingester, at most (a message is never split).',
  },
  AMR_INGEST_WINDOW_MS: {
    schema: integer(0, 10000).default(20),
    about: 'Longest wait of an ingester for a batch to fill.',
  },
  AMR_INGEST_STRATEGY: {
    schema: oneOf(['sequential', 'async', 'hybrid']).default('hybrid'),
    about:
      'How an ingester orders its work: `sequential` (one message after another, one ingester at a time), `hybrid` (in order per meter) or `async` (no order, most parallel). What is stored is the same.',
  },
  AMR_INGEST_PARALLELISM: {
    schema: integer(1, 64).default(2),
    about: 'Batches one ingester writes at once, with `hybrid` and `async`.',
  },
  AMR_OLDEST_READING: {
    schema: z
      .string()
      .regex(/^(19[7-9]\d|20\d\d)-(0[1-9]|1[0-2])-01$/, 'must be the first of a month from 1970 on, such as 2000-01-01')
      .default('2000-01-01'),
    about: 'Readings measured before are dead-lettered; each month of readings is a partition.',
  },
  AMR_READINGS_AHEAD_SECONDS: {
    schema: integer(0, 31_622_400).default(86_400),
    about: "Readings stamped further ahead of now are dead-lettered: the meter's clock is wrong.",
  },
  AMR_READINGS_KEPT_DAYS: {
    schema: integer(31, 36_500).optional(),
    about: 'Months of readings that ended longer ago are removed (ingester). Not set: readings are kept.',
  },
  AMR_READINGS_EXCHANGE: {
    schema: oneOf(['on', 'off']).default('off'),
    about: 'Whether committed readings are also published to the durable topic exchange `readings`, for integrators.',
  },
  AMR_LOSS_ALARM_SECONDS: {
    schema: integer(5, 86_400).default(300),
    about: 'Published readings without an outcome after this time raise an alarm (ingester).',
  },
  AMR_RUNS_KEPT_DAYS: {
    schema: integer(1, 36500).default(400),
    about: 'Runs, slots and idempotency keys of months that ended longer ago are removed (ingester).',
  },
  AMR_SESSIONS_KEPT_DAYS: {
    schema: integer(1, 36500).default(14),
    about: 'Meter sessions that ended longer ago are removed (ingester).',
  },
  AMR_AUDIT_KEPT_DAYS: {
    schema: integer(1, 36500).default(1095),
    about: 'Entries of the audit that are older are removed (ingester).',
  },
} satisfies Record<string, { schema: z.ZodType; about: string }>;

/** Whose JWTs are accepted, and what they mean. */
export interface OidcConfig {
  readonly issuer: string;
  readonly audience: string;
  /** Undefined: asked of the issuer. */
  readonly jwksUrl: string | undefined;
  readonly roleClaim: string;
  /** Roles by value of the claim. */
  readonly roles: ReadonlyMap<string, readonly Role[]>;
  /** Undefined: the default organization. */
  readonly organizationClaim: string | undefined;
}

type Variables = typeof VARIABLES;
type Parsed = { [Name in keyof Variables]: z.output<Variables[Name]['schema']> };

/** The settings of one process, parsed once at its start. Durations are in milliseconds. */
export interface Config {
  readonly databaseUrl: string | undefined;
  /** `memory:` is the in-process broker. */
  readonly amqpUrl: string;
  readonly auth: Parsed['AMR_AUTH'];
  readonly oidc: OidcConfig | undefined;
  /** Of commands that talk to the API. */
  readonly token: string | undefined;
  readonly httpHost: string;
  readonly httpPort: number;
  readonly apiMaxCost: number;
  readonly apiMaxDepth: number;
  readonly apiTimeoutMs: number;
  /** Per second and caller; 0 is no limit. */
  readonly apiRate: number;
  readonly apiMaxConnections: number;
  readonly apiMaxSubscriptions: number;
  readonly introspection: boolean;
  readonly operationsFile: string | undefined;
  readonly onlyPersistedOperations: boolean;
  /** Absolute path. */
  readonly dataDir: string;
  readonly demo: boolean;
  readonly credentialsPublicKey: string | undefined;
  /** One key, or several separated by commas: the current one first. */
  readonly credentialsPrivateKey: string | undefined;
  readonly queuePrefix: string;
  readonly logLevel: Parsed['AMR_LOG_LEVEL'];
  readonly logFormat: 'json' | 'pretty';
  readonly healthPort: number | undefined;
  readonly maxSessions: number;
  readonly startByMs: number;
  readonly sessionCapMs: number;
  readonly replyTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly ingestBatch: number;
  readonly ingestWindowMs: number;
  readonly ingestStrategy: Parsed['AMR_INGEST_STRATEGY'];
  readonly ingestParallelism: number;
  /** Milliseconds since the epoch; the first of a month. */
  readonly oldestReading: number;
  readonly readingsAheadMs: number;
  /** Undefined: kept for ever. */
  readonly readingsKeptDays: number | undefined;
  readonly readingsExchange: boolean;
  readonly lossAlarmMs: number;
  readonly runsKeptDays: number;
  readonly sessionsKeptDays: number;
  readonly auditKeptDays: number;
}

/** Name and meaning of every variable, for `.env.example` and `amr --help`. */
export function describeVariables(): { name: string; about: string; default: string | undefined }[] {
  return Object.entries(VARIABLES).map(([name, { schema, about }]) => {
    const fallback = (schema as z.ZodType<string | number | undefined>).safeParse(undefined).data;
    return { name, about, default: fallback === undefined ? undefined : String(fallback) };
  });
}

/**
 * Reads the environment at process start; everything below receives a `Config`, never `process.env`.
 * Throws one `StartupError` that lists every wrong or unknown `AMR_*` variable, what is wrong with it and the cure.
 */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const problems: string[] = [];
  for (const name of Object.keys(env)) {
    if (name.startsWith('AMR_') && !(name in VARIABLES))
      problems.push(`${name} is not a setting of this product${suggestion(name)}`);
  }
  const parsed: Record<string, unknown> = {};
  for (const [name, { schema, about }] of Object.entries(VARIABLES)) {
    const raw = env[name];
    const result = (schema as z.ZodType).safeParse(raw === '' ? undefined : raw);
    if (result.success) parsed[name] = result.data;
    else problems.push(`${name}=${redact(name, raw)} ${result.error.issues[0]?.message ?? 'is wrong'}. ${about}`);
  }
  problems.push(...contradictions(parsed));
  if (problems.length > 0) {
    throw new StartupError(
      `The environment has ${problems.length === 1 ? 'a wrong setting' : `${problems.length} wrong settings`}:\n` +
        problems.map((problem) => `  - ${problem}`).join('\n') +
        '\nCorrect or unset them; .env.example lists every setting.',
    );
  }
  const v = parsed as Parsed;
  return Object.freeze({
    databaseUrl: v.DATABASE_URL,
    amqpUrl: v.AMQP_URL ?? 'memory:',
    auth: v.AMR_AUTH,
    oidc: oidcOf(v),
    token: v.AMR_TOKEN,
    httpHost: v.AMR_HTTP_HOST,
    httpPort: v.AMR_HTTP_PORT,
    apiMaxCost: v.AMR_API_MAX_COST,
    apiMaxDepth: v.AMR_API_MAX_DEPTH,
    apiTimeoutMs: v.AMR_API_TIMEOUT_SECONDS * 1000,
    apiRate: v.AMR_API_RATE,
    apiMaxConnections: v.AMR_API_MAX_CONNECTIONS,
    apiMaxSubscriptions: v.AMR_API_MAX_SUBSCRIPTIONS,
    introspection: v.AMR_INTROSPECTION === 'on',
    operationsFile: v.AMR_OPERATIONS_FILE,
    onlyPersistedOperations: v.AMR_ONLY_PERSISTED_OPERATIONS === 'on',
    dataDir: resolve(v.AMR_DATA_DIR),
    demo: v.AMR_DEMO === 'on',
    credentialsPublicKey: v.AMR_CREDENTIALS_PUBLIC_KEY,
    credentialsPrivateKey: v.AMR_CREDENTIALS_PRIVATE_KEY,
    queuePrefix: v.AMR_QUEUE_PREFIX,
    logLevel: v.AMR_LOG_LEVEL,
    logFormat: v.AMR_LOG_FORMAT ?? (process.stdout.isTTY ? 'pretty' : 'json'),
    healthPort: v.AMR_HEALTH_PORT,
    maxSessions: v.AMR_MAX_SESSIONS,
    startByMs: v.AMR_START_BY_SECONDS * 1000,
    sessionCapMs: v.AMR_SESSION_CAP_SECONDS * 1000,
    replyTimeoutMs: v.AMR_REPLY_TIMEOUT_SECONDS * 1000,
    connectTimeoutMs: v.AMR_CONNECT_TIMEOUT_SECONDS * 1000,
    ingestBatch: v.AMR_INGEST_BATCH,
    ingestWindowMs: v.AMR_INGEST_WINDOW_MS,
    ingestStrategy: v.AMR_INGEST_STRATEGY,
    ingestParallelism: v.AMR_INGEST_PARALLELISM,
    oldestReading: Date.parse(`${v.AMR_OLDEST_READING}T00:00:00Z`),
    readingsAheadMs: v.AMR_READINGS_AHEAD_SECONDS * 1000,
    readingsKeptDays: v.AMR_READINGS_KEPT_DAYS,
    readingsExchange: v.AMR_READINGS_EXCHANGE === 'on',
    lossAlarmMs: v.AMR_LOSS_ALARM_SECONDS * 1000,
    runsKeptDays: v.AMR_RUNS_KEPT_DAYS,
    sessionsKeptDays: v.AMR_SESSIONS_KEPT_DAYS,
    auditKeptDays: v.AMR_AUDIT_KEPT_DAYS,
  });
}

/** What is right by itself and wrong together. */
function contradictions(parsed: Partial<Parsed>): string[] {
  const problems: string[] = [];
  const { AMR_AUTH, AMR_HTTP_HOST, AMR_OIDC_ISSUER, AMR_OIDC_AUDIENCE } = parsed;
  if (AMR_AUTH === 'off' && AMR_HTTP_HOST !== undefined && !isLoopback(AMR_HTTP_HOST)) {
    problems.push(
      `AMR_AUTH=off would open the API to everybody who reaches ${AMR_HTTP_HOST}. Unset it, or set AMR_HTTP_HOST to 127.0.0.1`,
    );
  }
  if (AMR_OIDC_ISSUER !== undefined && AMR_OIDC_AUDIENCE === undefined) {
    problems.push(
      "AMR_OIDC_AUDIENCE is not set, so that JWTs for other services would do. Set it to this API's audience",
    );
  }
  return problems;
}

function oidcOf(v: Parsed): OidcConfig | undefined {
  if (v.AMR_OIDC_ISSUER === undefined) return undefined;
  return {
    issuer: v.AMR_OIDC_ISSUER,
    audience: v.AMR_OIDC_AUDIENCE!,
    jwksUrl: v.AMR_OIDC_JWKS_URL,
    roleClaim: v.AMR_OIDC_ROLE_CLAIM,
    roles: rolesOf(v.AMR_OIDC_ROLES),
    organizationClaim: v.AMR_OIDC_ORGANIZATION_CLAIM,
  };
}

/** Keys and passwords inside URLs do not reach a terminal or a log. */
function redact(name: string, value: string | undefined): string {
  if (value === undefined) return '(not set)';
  if (/_(KEY|TOKEN)$/.test(name)) return '(hidden)';
  return JSON.stringify(value.replace(/^([a-z]+:\/\/)?.*@/is, '$1***@'));
}

/** The known variable that differs least, when it is close enough to be a slip of the keyboard. */
function suggestion(name: string): string {
  const close = Object.keys(VARIABLES)
    .map((known) => ({ known, distance: editDistance(name, known) }))
    .sort((a, b) => a.distance - b.distance)[0];
  const tolerable = Math.max(2, (name.length - 'AMR_'.length) / 3);
  return close && close.distance <= tolerable ? `; did you mean ${close.known}?` : '';
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}
