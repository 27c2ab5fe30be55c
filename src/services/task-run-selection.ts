import type { RunOrigin, TaskRunState } from '../domain/enums.js';
import { InputError } from '../errors.js';

/** Conditions that must all hold. `from` and `to` bound `scheduledFor`, `to` excluded. */
export interface TaskRunSelection {
  ids?: readonly string[] | null;
  meterDevice?: string | null;
  meterDevices?: readonly string[] | null;
  amrTask?: string | null;
  amrTasks?: readonly string[] | null;
  states?: readonly TaskRunState[] | null;
  origin?: RunOrigin | null;
  meterExecutionType?: string | null;
  taskCall?: string | null;
  /** Of runs that ended without success. */
  errorCode?: string | null;
  errorCodes?: readonly string[] | null;
  from?: Date | null;
  to?: Date | null;
  finishedFrom?: Date | null;
  finishedTo?: Date | null;
  /** These are not on the run itself. */
  amrTaskGroup?: string | null;
  networkInterface?: string | null;
  segment?: string | null;
}

const NOT_ON_THE_RUN = ['amrTaskGroup', 'networkInterface', 'segment'] as const;

/** Throws `BAD_USER_INPUT` for conditions that a run alone does not tell: a stream has only the runs. */
export function requireRunsAlone(selection: TaskRunSelection | null | undefined): void {
  const field = NOT_ON_THE_RUN.find((name) => selection?.[name] != null);
  if (field === undefined) return;
  throw new InputError(
    'BAD_USER_INPUT',
    `filter.${field} is for lists; a subscription sees the runs alone. Give meterDevices or amrTasks instead.`,
    `filter.${field}`,
  );
}
