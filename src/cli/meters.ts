import { isUuid } from '../domain/uuid.js';
import type { GraphqlClient } from '../graphql/client.js';
import { AmrTaskGroupsDocument, MeterDevicesDocument } from '../graphql/generated/graphql.js';
import { CommandError, EXIT } from './io.js';

export interface Named {
  id: string;
  name: string;
}

/** The meter with this name or id. Throws `CommandError` when there is none. */
export async function findMeter(client: GraphqlClient, nameOrId: string, signal?: AbortSignal): Promise<Named> {
  const filter = isUuid(nameOrId) ? { ids: [nameOrId] } : { name: nameOrId };
  const { meterDevices } = await client.request(MeterDevicesDocument, { filter, first: 1 }, signal);
  const meter = meterDevices.nodes[0];
  if (meter) return meter;
  throw new CommandError(EXIT.usage, `There is no meter ${JSON.stringify(nameOrId)}. Give the name or the id of one.`);
}

/** The task group with this name or id. Throws `CommandError` when there is none. */
export async function findTaskGroup(client: GraphqlClient, nameOrId: string): Promise<Named> {
  for (let after: string | null | undefined; ;) {
    const { nodes, pageInfo } = (await client.request(AmrTaskGroupsDocument, { first: 100, after })).amrTaskGroups;
    const group = nodes.find(({ id, name }) => id === nameOrId || name === nameOrId);
    if (group) return group;
    if (!pageInfo.hasNextPage) break;
    after = pageInfo.endCursor;
  }
  throw new CommandError(
    EXIT.usage,
    `There is no task group ${JSON.stringify(nameOrId)}. Give the name or the id of one.`,
  );
}
