import { registerEnumType } from 'type-graphql';
import {
  AmrSchedule,
  CatchUpPolicy,
  MeterLifeCycle,
  NetworkInterfaceKind,
  ReadingOrigin,
  RunOrigin,
  SeriesKind,
  TaskRunState,
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
    ALL: { description: 'Each is run.' },
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
    CANCELLED: { description: 'Withdrawn before it was carried out.' },
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
