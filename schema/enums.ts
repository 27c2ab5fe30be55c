import { registerEnumType } from 'type-graphql';
import { BucketSize } from '../src/domain/calendar-buckets.js';
import {
  AlertKind,
  AlertSeverity,
  AmrSchedule,
  CatchUpPolicy,
  DeadLetterState,
  IngestStep,
  IngestStrategy,
  MeterLifeCycle,
  NetworkInterfaceKind,
  ReadingOrigin,
  RevisionPolicy,
  Role,
  RunOrigin,
  SeriesKind,
  ServiceObjectiveKind,
  ServiceObjectiveState,
  SessionTimeBasis,
  TaskRunState,
  WorkerState,
} from '../src/domain/enums.js';

registerEnumType(AmrSchedule, {
  name: 'AmrSchedule',
  description: 'When a task is due. All times UTC.',
  valuesConfig: {
    QUARTERLY: { description: 'Each quarter-hour: at :00, :15, :30 and :45.' },
    HOURLY: { description: 'At :00 of each hour.' },
    DAILY: { description: 'At 00:00.' },
    WEEKLY: { description: 'Mondays at 00:00.' },
    MONTHLY: { description: 'On the 1st at 00:00.' },
    YEARLY: { description: 'On 1 January at 00:00.' },
  },
});

registerEnumType(CatchUpPolicy, {
  name: 'CatchUpPolicy',
  description: 'What happens to slots missed while no scheduler ran.',
  valuesConfig: {
    SKIP: { description: 'None of them is run.' },
    LATEST: { description: 'Only the latest is run.' },
    ALL: { description: 'Each is run; those that one call can read together, in one run for the latest of them.' },
  },
});

registerEnumType(RunOrigin, {
  name: 'RunOrigin',
  description: 'What made a run.',
  valuesConfig: {
    SCHEDULED: { description: 'A slot of a task.' },
    ON_DEMAND: { description: 'An invocation through the API.' },
    BACKFILL: { description: 'A gap that is read again from the archive of the meter.' },
  },
});

registerEnumType(ReadingOrigin, {
  name: 'ReadingOrigin',
  description: 'How a reading came here.',
  valuesConfig: {
    SCHEDULED: { description: 'Polled for a slot of a task.' },
    ON_DEMAND: { description: 'Polled by an invocation.' },
    BACKFILL: { description: 'Read again from the archive of the meter to fill a gap.' },
    PUSH: { description: 'Sent by the meter on its own.' },
    IMPORT: { description: 'Submitted by another system.' },
  },
});

registerEnumType(TaskRunState, {
  name: 'TaskRunState',
  description: 'Where a run stands. The last four are final.',
  valuesConfig: {
    PENDING: { description: 'Waits for its time, a free interface or its next try.' },
    DISPATCHED: { description: 'Handed to the pollers.' },
    RUNNING: { description: 'A poller is at the meter.' },
    SUCCEEDED: { description: 'Read; what was read is confirmed by the broker.' },
    FAILED: { description: 'Given up; errorCode and errorMessage say why.' },
    EXPIRED: { description: 'Its deadline passed before it could be carried out.' },
    CANCELLED: { description: 'Withdrawn before it had ended.' },
  },
});

registerEnumType(MeterLifeCycle, {
  name: 'MeterLifeCycle',
  description: 'Where a meter is in its service life.',
  valuesConfig: {
    NEW: { description: 'Registered; no reading yet.' },
    ACTIVE: { description: 'In service.' },
    LOST: { description: 'Not reached for long.' },
    RETIRED: { description: 'Out of service: never polled again, readings kept.' },
  },
});

registerEnumType(NetworkInterfaceKind, {
  name: 'NetworkInterfaceKind',
  description: 'The way to meters.',
  valuesConfig: {
    TCP: { description: 'A TCP connection to host and port.' },
    SERIAL: { description: 'A serial port of the poller. Refused: pollers open TCP connections only.' },
  },
});

registerEnumType(SeriesKind, {
  name: 'SeriesKind',
  description: 'What values of a series mean.',
  valuesConfig: {
    UNKNOWN: { description: 'Not told yet.' },
    CUMULATIVE: { description: 'A counter; consumption is the difference of two values.' },
    INTERVAL: { description: 'An amount per interval, stamped at its end.' },
    INSTANTANEOUS: { description: 'A value at a moment, such as a temperature.' },
  },
});

registerEnumType(WorkerState, {
  name: 'WorkerState',
  description: 'Whether a worker works.',
  valuesConfig: {
    ACTIVE: { description: 'It reports itself.' },
    SILENT: { description: 'Not heard of for 35 seconds, and it did not say that it stops.' },
    STOPPED: { description: 'It said that it stops.' },
  },
});

registerEnumType(IngestStep, {
  name: 'IngestStep',
  description: 'The steps every reading goes through, in this order.',
  valuesConfig: {
    VALIDATE: { description: 'Checks messages and readings against their rules.' },
    ENRICH: { description: 'Finds the register of a reading, its factors and its place.' },
    STORE: { description: 'Writes readings, revisions, staged readings, dead letters and the account.' },
    DISPATCH: { description: 'Writes the log row that subscribers read, and commits.' },
  },
});

registerEnumType(IngestStrategy, {
  name: 'IngestStrategy',
  description: 'How ingesters order their work; what is stored is the same. Set by AMR_INGEST_STRATEGY.',
  valuesConfig: {
    SEQUENTIAL: { description: 'One elected ingester, one message after another in the order of arrival.' },
    ASYNC: { description: 'Batches side by side, in no order.' },
    HYBRID: { description: 'In order per meter within one ingester, side by side across meters.' },
  },
});

registerEnumType(SessionTimeBasis, {
  name: 'SessionTimeBasis',
  description: 'Where the expected time of a session comes from.',
  valuesConfig: {
    MEASURED: { description: 'From runs of the same call in the last 7 days.' },
    DEFAULT: { description: 'Assumed, as there were too few such runs.' },
  },
});

registerEnumType(ServiceObjectiveKind, {
  name: 'ServiceObjectiveKind',
  description: 'What an organization promises of its readings.',
  valuesConfig: {
    LATENCY: { description: 'Readings are committed within maxLatencyMs of their publishing.' },
    COMPLETENESS: { description: 'Scheduled runs of slots that have ended succeeded.' },
    LOSS: { description: 'Every published reading has an outcome. No loss is tolerated.' },
  },
});

registerEnumType(ServiceObjectiveState, {
  name: 'ServiceObjectiveState',
  description: 'Whether an objective is kept.',
  valuesConfig: {
    OK: { description: 'It is.' },
    WARNING: { description: 'Burn rate above 6 over 6 hours and 30 minutes.' },
    CRITICAL: { description: 'Burn rate above 14.4 over an hour and 5 minutes; of LOSS: an alert is open.' },
    NO_DATA: { description: 'Nothing happened in the last 6 hours.' },
  },
});

registerEnumType(AlertKind, {
  name: 'AlertKind',
  description: 'What an alert is about.',
  valuesConfig: {
    LOSS: { description: 'Readings of one minute of publishing that have no outcome, or more outcomes than readings.' },
    LATENCY: { description: 'The objective of latency.' },
    COMPLETENESS: { description: 'The objective of completeness.' },
  },
});

registerEnumType(AlertSeverity, {
  name: 'AlertSeverity',
  description: 'How bad it is.',
  valuesConfig: {
    WARNING: { description: 'Look at it today.' },
    CRITICAL: { description: 'Look at it now.' },
  },
});

registerEnumType(DeadLetterState, {
  name: 'DeadLetterState',
  description: 'What became of a dead letter. The last two are final until the same message fails again.',
  valuesConfig: {
    DEAD: { description: 'Waits for a decision.' },
    REDRIVING: { description: 'Put back into its queue; its outcome is not known yet.' },
    RESOLVED: { description: 'Redriven with success.' },
    DISCARDED: { description: 'Given up for good, for a reason that the audit has.' },
  },
});

registerEnumType(RevisionPolicy, {
  name: 'RevisionPolicy',
  description:
    'Which of two different values for one time of a series is the current one; the other is kept as a revision. Earlier and later by when they were taken from the meter, whatever order they arrived in.',
  valuesConfig: {
    KEEP_FIRST: { description: 'The one taken from the meter first.' },
    TAKE_LATEST: { description: 'The one taken from the meter last.' },
  },
});

registerEnumType(Role, {
  name: 'Role',
  description: 'What a caller of the API may do. Each may do what those before it may.',
  valuesConfig: {
    VIEWER: { description: 'Queries and subscriptions.' },
    OPERATOR: { description: 'Meters, tasks, runs, readings and dead letters that are put back.' },
    ADMIN: { description: 'Tokens, what holds for the organization, and what cannot be undone.' },
  },
});

registerEnumType(BucketSize, {
  name: 'BucketSize',
  description: 'Calendar periods by the clock of a time zone.',
  valuesConfig: {
    QUARTER_HOUR: { description: 'From :00, :15, :30 and :45; ends also where the clock is changed.' },
    HOUR: { description: 'From :00; ends also where the clock is changed: a repeated hour is two.' },
    DAY: { description: 'From midnight to midnight, 23 to 25 hours.' },
    WEEK: { description: 'From Monday, midnight.' },
    MONTH: { description: 'From the 1st, midnight.' },
    YEAR: { description: 'From 1 January, midnight.' },
  },
});
