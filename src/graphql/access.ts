import { defaultFieldResolver, type GraphQLFieldResolver, type GraphQLSchema } from 'graphql';
import { Role } from '../domain/enums.js';
import { mayAct } from '../domain/role.js';
import { InputError } from '../errors.js';
import type { RequestContext } from './context.js';

const { OPERATOR, ADMIN } = Role;

/** The role that each mutation needs. One that is not listed keeps the server from starting. */
export const MUTATION_ROLES: Readonly<Record<string, Role>> = {
  cancelTaskRun: OPERATOR,
  clearCredentialsRejection: OPERATOR,
  createAmrTask: OPERATOR,
  createAmrTaskGroup: OPERATOR,
  createApiToken: ADMIN,
  createMeterDevice: OPERATOR,
  createMeteringPoint: OPERATOR,
  createNetworkInterface: OPERATOR,
  createSegment: OPERATOR,
  deleteAmrTask: OPERATOR,
  deleteAmrTaskGroup: OPERATOR,
  deleteInstallation: OPERATOR,
  deleteMeterDevice: OPERATOR,
  deleteMeteringPoint: OPERATOR,
  deleteNetworkInterface: OPERATOR,
  deleteSegment: OPERATOR,
  deleteSeries: OPERATOR,
  discardDeadLetters: ADMIN,
  importMeterDevices: OPERATOR,
  installMeter: OPERATOR,
  invokeAmrTask: OPERATOR,
  invokeAmrTaskGroup: OPERATOR,
  invokeTask: OPERATOR,
  redriveDeadLetters: OPERATOR,
  removeMeter: OPERATOR,
  revokeApiToken: ADMIN,
  setServiceObjective: ADMIN,
  submitReadings: OPERATOR,
  updateAmrTask: OPERATOR,
  updateAmrTaskGroup: OPERATOR,
  updateInstallation: OPERATOR,
  updateMeterDevice: OPERATOR,
  updateMeteringPoint: OPERATOR,
  updateNetworkInterface: OPERATOR,
  updateOrganization: ADMIN,
  updateSegment: OPERATOR,
  upsertSeries: OPERATOR,
};

/** Queries and subscriptions are for everybody, apart from these. */
export const READ_ROLES: Readonly<Record<string, Role>> = {
  apiTokens: ADMIN,
  auditEntries: ADMIN,
};

type Resolver = GraphQLFieldResolver<unknown, RequestContext>;

/**
 * Puts the check of role and scopes before every root field of the schema, whatever the transport: the one place that
 * decides what a caller may do. Throws where a mutation has no role.
 */
export function enforceAccess(schema: GraphQLSchema): GraphQLSchema {
  const mutations = Object.values(schema.getMutationType()?.getFields() ?? {});
  const unlisted = mutations.filter(({ name }) => !Object.hasOwn(MUTATION_ROLES, name));
  if (unlisted.length > 0) {
    throw new Error(
      `The mutations ${unlisted.map(({ name }) => name).join(', ')} have no role. Give them one in MUTATION_ROLES of src/graphql/access.ts.`,
    );
  }
  for (const field of mutations) field.resolve = guarded(field.resolve, field.name, MUTATION_ROLES[field.name]!);
  for (const field of Object.values(schema.getQueryType()!.getFields()))
    field.resolve = guarded(field.resolve, field.name, roleToRead(field.name));
  // Once, when it begins: what its token may do does not change, and its end is the end of the stream.
  for (const field of Object.values(schema.getSubscriptionType()?.getFields() ?? {}))
    field.subscribe = guarded(field.subscribe, field.name, roleToRead(field.name));
  return schema;
}

const roleToRead = (field: string): Role => (Object.hasOwn(READ_ROLES, field) ? READ_ROLES[field]! : Role.VIEWER);

function guarded(resolve: Resolver | undefined, field: string, needed: Role): Resolver {
  const inner = resolve ?? defaultFieldResolver;
  return (source, args: Record<string, unknown>, context, info) => {
    requireAccess(context, field, needed);
    return inner(source, args, context, info);
  };
}

export function requireAccess(
  { role, scopes }: Pick<RequestContext, 'role' | 'scopes'>,
  field: string,
  needed: Role,
): void {
  if (!mayAct(role, needed)) {
    throw new InputError(
      'FORBIDDEN',
      `${field} needs the role ${needed.toUpperCase()}; yours is ${role?.toUpperCase() ?? 'none'}. Ask an administrator for a token with that role.`,
    );
  }
  if (scopes !== undefined && !scopes.includes(field)) {
    throw new InputError(
      'FORBIDDEN',
      `Your token is good for ${scopes.join(', ')} only, not for ${field}. Ask an administrator for another token.`,
    );
  }
}

/** Throws `BAD_USER_INPUT` for the first name that is no query, mutation or subscription. */
export function requireRootFields(schema: GraphQLSchema, names: readonly string[], path: string): void {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  names.forEach((name, index) => {
    if (roots.some((root) => root != null && Object.hasOwn(root.getFields(), name))) return;
    const shown = JSON.stringify(name.slice(0, 100));
    throw new InputError(
      'BAD_USER_INPUT',
      `${path}.${index} is ${shown}, which is no query, mutation or subscription of this API.`,
      `${path}.${index}`,
    );
  });
}
