import { z } from 'zod';
import { InputError } from '../errors.js';
import { parseInput, whole } from './input.js';

const Expected = z.object({ expectedVersion: whole(1, 2_147_483_647).nullish() });

/** Throws `CONFLICT`, which says the version there is, unless it is the one expected, or none is. */
export function requireVersion(name: string, version: number, expected: number | null | undefined): void {
  const { expectedVersion } = parseInput(Expected, { expectedVersion: expected });
  if (expectedVersion == null || expectedVersion === version) return;
  throw new InputError(
    'CONFLICT',
    `${name} has changed: it is at version ${version}, not ${expectedVersion}. Read it again and retry.`,
    'input.expectedVersion',
  );
}
