import { ApiToken } from './api-token.js';
import { AmrTaskGroup } from './amr-task-group.js';
import { AmrTask } from './amr-task.js';
import { AuditEntry } from './audit-entry.js';
import { DeadLetter } from './dead-letter.js';
import { Installation } from './installation.js';
import { InterfaceBreaker } from './interface-breaker.js';
import { InvocationKey } from './invocation-key.js';
import { MeterDevice } from './meter-device.js';
import { MeteringPoint } from './metering-point.js';
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
import { TaskSlotGroup } from './task-slot-group.js';
import { TaskSlot } from './task-slot.js';
import { Worker } from './worker.js';

export const entities = [
  Organization,
  Segment,
  NetworkInterface,
  AmrTask,
  AmrTaskGroup,
  MeterDevice,
  MeteringPoint,
  Installation,
  Series,
  Register,
  MeterReading,
  MeterReadingRevision,
  StagedReading,
  TaskSlot,
  TaskSlotGroup,
  TaskRun,
  InvocationKey,
  PollSession,
  InterfaceBreaker,
  Worker,
  ReadingLog,
  DeadLetter,
  AuditEntry,
  ApiToken,
];

export {
  AmrTask,
  AmrTaskGroup,
  ApiToken,
  AuditEntry,
  DeadLetter,
  Installation,
  InterfaceBreaker,
  InvocationKey,
  MeterDevice,
  MeteringPoint,
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
  TaskSlotGroup,
  Worker,
};
