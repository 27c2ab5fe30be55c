import type { ApolloServerPlugin } from '@apollo/server';
import { GraphQLError } from 'graphql';
import { InputError } from '../errors.js';
import { admitCost, type Cost } from './admission.js';
import type { RequestContext } from './context.js';

/** Refuses operations that can cost more than `limit` before they are executed, and tells the cost with each answer. */
export function costPlugin(limit: number): ApolloServerPlugin<RequestContext> {
  return {
    requestDidStart: async () => {
      let cost: Cost | undefined;
      return {
        didResolveOperation: async ({ schema, document, operation, request }) => {
          if (!operation) return;
          try {
            cost = admitCost({ schema, document, operation, variables: request.variables }, limit);
          } catch (error) {
            if (!(error instanceof InputError)) throw error;
            throw new GraphQLError(error.message, { originalError: error, extensions: { http: { status: 400 } } });
          }
        },
        willSendResponse: async ({ response: { body } }) => {
          if (cost && body.kind === 'single') body.singleResult.extensions = { ...body.singleResult.extensions, cost };
        },
      };
    },
  };
}
