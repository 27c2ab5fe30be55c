import type { Database } from '../db/database.js';
import type { Broker } from '../messaging/broker.js';
import type { Logger } from '../telemetry.js';
import { AmrTaskGroupService } from './amr-task-groups.js';
import { AmrTaskService } from './amr-tasks.js';
import { InvocationService } from './invocation.js';
import { MeterDeviceService } from './meter-devices.js';
import { NetworkInterfaceService } from './network-interfaces.js';
import { NodeService } from './nodes.js';
import { ReadingService } from './readings.js';
import { RegisterService } from './registers.js';
import { RelationService } from './relations.js';
import { SegmentService } from './segments.js';
import { SeriesService } from './series.js';
import { TaskRunService } from './task-runs.js';

export interface ServiceDependencies {
  readonly database: Database;
  readonly broker: Broker;
  /** Seals meter credentials; without it they are refused. */
  readonly credentialsPublicKey: string | undefined;
  readonly log: Logger;
}

/** The use cases of the API. Each takes the organization it acts for as its first argument. */
export function createServices({ database, broker, credentialsPublicKey, log }: ServiceDependencies) {
  const amrTasks = new AmrTaskService(database);
  const taskRuns = new TaskRunService(database);
  return {
    amrTasks,
    taskRuns,
    amrTaskGroups: new AmrTaskGroupService(database),
    meterDevices: new MeterDeviceService(database, credentialsPublicKey),
    networkInterfaces: new NetworkInterfaceService(database),
    segments: new SegmentService(database),
    series: new SeriesService(database),
    registers: new RegisterService(database),
    relations: new RelationService(database),
    readings: new ReadingService(database),
    nodes: new NodeService(database),
    invocation: new InvocationService(database, broker, taskRuns, amrTasks, log),
  };
}
export type Services = ReturnType<typeof createServices>;
