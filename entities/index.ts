import { AmrTaskGroup } from './amr-task-group.js';
import { AmrTask } from './amr-task.js';
import { DeadLetter } from './dead-letter.js';
import { InvocationKey } from './invocation-key.js';
import { MeterDevice } from './meter-device.js';
import { MeterReadingRevision } from './meter-reading-revision.js';
import { MeterReading } from './meter-reading.js';
import { NetworkInterface } from './network-interface.js';
import { Organization } from './organization.js';
import { PollSession } from './poll-session.js';
import { ReadingLog } from './reading-log.js';
import { Register } from './register.js';
import { Segment } from './segment.js';
import { Series } from './series.js';
import { StagedReading } from './staged-reading.js';
import { TaskRun } from './task-run.js';
import { TaskSlot } from './task-slot.js';

export const entities = [
  Organization,
  Segment,
  NetworkInterface,
  AmrTask,
  AmrTaskGroup,
  MeterDevice,
  Series,
  Register,
  MeterReading,
  MeterReadingRevision,
  StagedReading,
  TaskSlot,
  TaskRun,
  InvocationKey,
  PollSession,
  ReadingLog,
  DeadLetter,
];

export {
  AmrTask,
  AmrTaskGroup,
  DeadLetter,
  InvocationKey,
  MeterDevice,
  MeterReading,
  MeterReadingRevision,
  NetworkInterface,
  Organization,
  PollSession,
  ReadingLog,
  Register,
  Segment,
  Series,
  StagedReading,
  TaskRun,
  TaskSlot,
};
