import { Role } from './enums.js';

/** Each may do what those before it may. */
const RANKED: readonly Role[] = [Role.VIEWER, Role.OPERATOR, Role.ADMIN];

/** Whether somebody with `role` may do what needs `needed`; a role that is not known may do nothing. */
export function mayAct(role: Role | undefined, needed: Role): boolean {
  return role !== undefined && RANKED.indexOf(role) >= RANKED.indexOf(needed);
}

/** The role that may do most; undefined of none. */
export function highestRole(roles: Iterable<Role>): Role | undefined {
  const held = new Set(roles);
  return RANKED.findLast((role) => held.has(role));
}
