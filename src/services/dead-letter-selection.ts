import type pg from 'pg';
import { z } from 'zod';
import { DeadLetterState } from '../domain/enums.js';
import { isUuid } from '../domain/uuid.js';
import { InputError } from '../errors.js';
import { id, text } from './input.js';

/** Letters that one call may change. */
export const MAX_LETTERS = 10_000;

/** Either letters by id, or all DEAD ones of one fingerprint. */
export const SelectionFields = {
  ids: z
    .array(id, { error: 'must be a list of ids' })
    .min(1, { error: 'must have at least one id' })
    .max(MAX_LETTERS, { error: `must have at most ${MAX_LETTERS} ids; the rest goes into another call` })
    .nullish(),
  fingerprint: text(200).nullish(),
};
export type Selection = z.output<z.ZodObject<typeof SelectionFields>>;

/** A letter that was asked for and is left as it is. */
export interface RefusedLetter {
  id: string;
  reason: string;
}

export interface SelectedLetter {
  readonly id: string;
  readonly queue: string;
  readonly state: DeadLetterState;
  readonly redrives: number;
  readonly size: number;
  readonly cut: boolean;
}

export function requireOneSelection({ ids, fingerprint }: Selection): void {
  if ((ids == null) !== (fingerprint == null)) return;
  throw new InputError('BAD_USER_INPUT', 'input must have either ids or a fingerprint, and not both.', 'input');
}

/**
 * Locks the letters that are asked for, at most 10,000: by fingerprint those first that were redriven least. It waits for
 * nobody, as ingesters lock letters in another order; a letter that is being written is left out.
 * @returns letters that are DEAD, and why the others are refused
 */
export async function lockDeadLetters(
  client: pg.ClientBase,
  organizationId: string,
  { ids, fingerprint }: Selection,
): Promise<{ letters: SelectedLetter[]; refused: RefusedLetter[] }> {
  const asked = ids && [...new Set(ids.map((one) => one.toLowerCase()))];
  const { rows } = await client.query<SelectedLetter>(
    `select id, queue, state, redrives, size, cut from dead_letter
     where organization_id = $1 and ${asked ? 'id = any($2::uuid[])' : `fingerprint = $2 and state = 'dead'`}
     order by redrives, id limit ${MAX_LETTERS} for update skip locked`,
    [organizationId, asked ? asked.filter(isUuid) : fingerprint],
  );
  const found = new Set(rows.map((row) => row.id));
  const missing = (asked ?? []).filter((one) => !found.has(one));
  return {
    letters: rows.filter(({ state }) => state === DeadLetterState.DEAD),
    refused: [
      ...missing.map((one) => ({ id: one, reason: 'there is no such dead letter, or it is being changed right now' })),
      ...rows
        .filter(({ state }) => state !== DeadLetterState.DEAD)
        .map(({ id: one, state }) => ({
          id: one,
          reason: `it is ${state.toUpperCase()}, only DEAD ones can be changed`,
        })),
    ],
  };
}
