import 'reflect-metadata';
import '../../schema/enums.js';
import type { GraphQLSchema } from 'graphql';
import { buildSchema, type MiddlewareFn, type PubSub } from 'type-graphql';
import { ApiTokenResolver } from '../../resolvers/api-token.resolver.js';
import { AlertResolver } from '../../resolvers/alert.resolver.js';
import { AmrTaskGroupResolver } from '../../resolvers/amr-task-group.resolver.js';
import {
  AmrTaskPlanResolver,
  PlannedInterfaceResolver,
  PlannedSegmentResolver,
} from '../../resolvers/amr-task-plan.resolver.js';
import { AmrTaskResolver } from '../../resolvers/amr-task.resolver.js';
import { LossAccountResolver } from '../../resolvers/loss-account.resolver.js';
import { AuditEntryResolver } from '../../resolvers/audit-entry.resolver.js';
import { DeadLetterGroupResolver, DeadLetterResolver } from '../../resolvers/dead-letter.resolver.js';
import { IngestionResolver } from '../../resolvers/ingestion.resolver.js';
import { InstallationResolver } from '../../resolvers/installation.resolver.js';
import { MeterDeviceResolver } from '../../resolvers/meter-device.resolver.js';
import { MeterImportResolver } from '../../resolvers/meter-import.resolver.js';
import { MeterExecutionTypeResolver } from '../../resolvers/meter-execution-type.resolver.js';
import { MeteringPointResolver } from '../../resolvers/metering-point.resolver.js';
import { NetworkInterfaceResolver } from '../../resolvers/network-interface.resolver.js';
import { NodeResolver } from '../../resolvers/node.resolver.js';
import { OrganizationResolver } from '../../resolvers/organization.resolver.js';
import { ReadingRevisionResolver } from '../../resolvers/reading-revision.resolver.js';
import { ReadingAggregateResolver } from '../../resolvers/reading-aggregate.resolver.js';
import { ReadingColumnsResolver } from '../../resolvers/reading-columns.resolver.js';
import { ReadingResolver } from '../../resolvers/reading.resolver.js';
import { RegisterResolver } from '../../resolvers/register.resolver.js';
import { SegmentResolver } from '../../resolvers/segment.resolver.js';
import { SeriesResolver } from '../../resolvers/series.resolver.js';
import { ServiceObjectiveResolver } from '../../resolvers/service-objective.resolver.js';
import { StagedReadingResolver } from '../../resolvers/staged-reading.resolver.js';
import { SubmitReadingsResolver } from '../../resolvers/submit-readings.resolver.js';
import { SubscriptionResolver } from '../../resolvers/subscription.resolver.js';
import { TaskRunResolver } from '../../resolvers/task-run.resolver.js';
import { TaskRunsPayloadResolver } from '../../resolvers/task-runs-payload.resolver.js';
import { WorkerResolver } from '../../resolvers/worker.resolver.js';
import { TaskRunSummaryResolver } from '../../resolvers/task-run-summary.resolver.js';
import { DateTime } from '../../schema/scalars.js';
import { onBehalfOf } from '../services/caller.js';
import { enforceAccess } from './access.js';
import { checkArguments } from './argument-check.js';
import type { RequestContext } from './context.js';

/** The mutations of one operation run one after another: none may see rows that were loaded before the last change. */
const forgetBeforeMutation: MiddlewareFn<RequestContext> = ({ info, context }, next) => {
  if (info.parentType === info.schema.getMutationType()) context.loaders.clear();
  return next();
};

/** Whatever a mutation changes is written down as done by who asks for it, see `recordAudit`. */
const auditAsAsked: MiddlewareFn<RequestContext> = ({ info, context: { actor, source } }, next) =>
  info.parentType === info.schema.getMutationType()
    ? onBehalfOf({ actor, source, action: info.fieldName }, next)
    : next();

const checkBeforeUse: MiddlewareFn<RequestContext> = ({ args }, next) => {
  checkArguments(args);
  return next();
};

/** The builder wants one; ours is never asked, because every subscription brings its own stream from the live feed. */
const noPubSub: PubSub = {
  publish: () => undefined,
  subscribe: (topic) => {
    throw new Error(`subscription topic ${topic} has no stream of its own`);
  },
};

/** The API's schema, over HTTP and WebSocket alike. */
export async function buildGraphqlSchema(): Promise<GraphQLSchema> {
  const schema = await buildSchema({
    resolvers: [
      NodeResolver,
      AmrTaskResolver,
      AmrTaskPlanResolver,
      PlannedInterfaceResolver,
      PlannedSegmentResolver,
      AmrTaskGroupResolver,
      OrganizationResolver,
      MeterDeviceResolver,
      MeterImportResolver,
      MeteringPointResolver,
      InstallationResolver,
      NetworkInterfaceResolver,
      SegmentResolver,
      SeriesResolver,
      RegisterResolver,
      TaskRunResolver,
      TaskRunsPayloadResolver,
      TaskRunSummaryResolver,
      ReadingResolver,
      ReadingAggregateResolver,
      ReadingColumnsResolver,
      ReadingRevisionResolver,
      StagedReadingResolver,
      SubmitReadingsResolver,
      MeterExecutionTypeResolver,
      WorkerResolver,
      IngestionResolver,
      LossAccountResolver,
      ServiceObjectiveResolver,
      AlertResolver,
      AuditEntryResolver,
      DeadLetterResolver,
      DeadLetterGroupResolver,
      ApiTokenResolver,
      SubscriptionResolver,
    ],
    scalarsMap: [{ type: Date, scalar: DateTime }],
    pubSub: noPubSub,
    globalMiddlewares: [checkBeforeUse, forgetBeforeMutation, auditAsAsked],
    // Services check inputs as a whole, with messages that name the field and what it may hold.
    validate: false,
  });
  return enforceAccess(schema);
}
