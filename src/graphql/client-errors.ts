import type { GraphQLFormattedError } from 'graphql';

/** What the API answered instead of data: code and field of the first error, the messages of all. */
export class GraphqlRequestError extends Error {
  override readonly name = 'GraphqlRequestError';
  readonly code: string;
  readonly field: string | undefined;
  constructor(readonly errors: readonly GraphQLFormattedError[]) {
    super(errors.map(({ message }) => message).join('\n'));
    const { code, field } = errors[0]?.extensions ?? {};
    this.code = typeof code === 'string' ? code : 'UNKNOWN';
    this.field = typeof field === 'string' ? field : undefined;
  }
}
