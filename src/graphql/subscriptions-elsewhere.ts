import type { ApolloServerPlugin } from '@apollo/server';
import { GraphQLError, OperationTypeNode } from 'graphql';
import type { RequestContext } from './context.js';

/** Refuses a subscription that comes over HTTP, where nothing could follow the first answer, and says where it belongs. */
export const subscriptionsElsewhere: ApolloServerPlugin<RequestContext> = {
  requestDidStart: async () => ({
    didResolveOperation: async ({ operation, request }) => {
      if (operation?.operation !== OperationTypeNode.SUBSCRIPTION) return;
      const host = request.http?.headers.get('host') ?? '…';
      throw new GraphQLError(`Subscriptions run over WebSocket (graphql-transport-ws) at ws://${host}/graphql.`, {
        extensions: { code: 'BAD_REQUEST', http: { status: 400 } },
      });
    },
  }),
};
