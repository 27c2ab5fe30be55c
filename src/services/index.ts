import type { Database } from '../db/database.js';
import type { Broker } from '../messaging/broker.js';
import type { Logger } from '../telemetry.js';
import { AlertService } from './alerts.js';
import { ApiTokenService } from './api-tokens.js';
import { AuditEntryService } from './audit-entries.js';
import { AmrTaskGroupService } from './amr-task-groups.js';
import { AmrTaskService } from './amr-tasks.js';
import { DeadLetterService } from './dead-letter-list.js';
import { DiscardService } from './discard.js';
import { GroupInvocationService } from './group-invocation.js';
import { CancellationService } from './cancellation.js';
import { IngestionService } from './ingestion.js';
import { InstallationService } from './installations.js';
import { InvocationService } from './invocation.js';
import { LossAccountService } from './loss-account.js';
import { MeterDeviceService } from './meter-devices.js';
import { MeterImportService } from './meter-import.js';
import { MeteringPointService } from './metering-points.js';
import { NetworkInterfaceService } from './network-interfaces.js';
import { NodeService } from './nodes.js';
import { OrganizationService } from './organizations.js';
import { ReadingAggregateService } from './reading-aggregates.js';
import { ReadingExportService } from './reading-export.js';
import { ReadingRevisionService } from './reading-revisions.js';
import { ReadingPublisher } from './reading-publisher.js';
import { ReadingSubmissionService } from './reading-submission.js';
import { ReadingService } from './readings.js';
import { RedriveService } from './redrive.js';
import { RegisterService } from './registers.js';
import { RelationService } from './relations.js';
import { SegmentService } from './segments.js';
import { SeriesService } from './series.js';
import { ServiceObjectiveService } from './service-objectives.js';
import { StagedReadingService } from './staged-readings.js';
import { TaskPlanService } from './task-plans.js';
import { TaskRunSummaryService } from './task-run-summaries.js';
import { TaskRunService } from './task-runs.js';
import { WorkerService } from './workers.js';

export interface ServiceDependencies {
  readonly database: Database;
  readonly broker: Broker;
  /** Seals meter credentials; without it they are refused. */
  readonly credentialsPublicKey: string | undefined;
  readonly log: Logger;
}

/** The use cases of the API. Each takes the organization it acts for as its first argument. */
export function createServices({ database, broker, credentialsPublicKey, log }: ServiceDependencies) {
  const amrTasks = new AmrTaskService(database, broker);
  const amrTaskGroups = new AmrTaskGroupService(database, broker);
  const taskRuns = new TaskRunService(database);
  const relations = new RelationService(database);
  const readingPublisher = new ReadingPublisher(broker, log);
  return {
    amrTasks,
    taskRuns,
    amrTaskGroups,
    taskPlans: new TaskPlanService(database, amrTasks),
    taskRunSummaries: new TaskRunSummaryService(database),
    meterDevices: new MeterDeviceService(database, broker, credentialsPublicKey),
    meterImport: new MeterImportService(database, broker, credentialsPublicKey),
    meteringPoints: new MeteringPointService(database, broker),
    installations: new InstallationService(database, broker),
    organizations: new OrganizationService(database, broker),
    networkInterfaces: new NetworkInterfaceService(database, broker),
    segments: new SegmentService(database),
    series: new SeriesService(database, broker),
    registers: new RegisterService(database),
    relations,
    readings: new ReadingService(database),
    readingExport: new ReadingExportService(database),
    readingAggregates: new ReadingAggregateService(database),
    readingRevisions: new ReadingRevisionService(database),
    stagedReadings: new StagedReadingService(database),
    /** Stop it when no request is in hand any more. */
    readingPublisher,
    readingSubmission: new ReadingSubmissionService(readingPublisher, database),
    nodes: new NodeService(database),
    invocation: new InvocationService(database, broker, taskRuns, amrTasks, log),
    groupInvocation: new GroupInvocationService(database, broker, amrTaskGroups, amrTasks, relations, log),
    cancellation: new CancellationService(database, broker, taskRuns, log),
    workers: new WorkerService(database),
    ingestion: new IngestionService(database),
    lossAccount: new LossAccountService(database),
    serviceObjectives: new ServiceObjectiveService(database),
    alerts: new AlertService(database),
    apiTokens: new ApiTokenService(database, broker, log),
    auditEntries: new AuditEntryService(database),
    deadLetters: new DeadLetterService(database),
    redrive: new RedriveService(database, broker, log),
    discard: new DiscardService(database),
  };
}
export type Services = ReturnType<typeof createServices>;
