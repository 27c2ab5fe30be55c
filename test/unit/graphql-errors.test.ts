import { buildSchema, execute, GraphQLError, parse, type ExecutionResult } from 'graphql';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/errors.js';
import { formatError } from '../../src/graphql/errors.js';

function logTo(lines: string[]) {
  return pino({ level: 'error' }, { write: (line: string) => void lines.push(line) });
}

/** The errors of a query whose only field throws, as a client sees them. */
function answer(thrown: Error, lines: string[] = []) {
  const schema = buildSchema('type Query { boom(at: Int): Int }');
  const rootValue = {
    boom: () => {
      throw thrown;
    },
  };
  const { errors } = execute({ schema, document: parse('{ boom }'), rootValue }) as ExecutionResult;
  return errors!.map((error) => formatError(error, logTo(lines)));
}

describe('errors as clients see them', () => {
  it('show what the client can correct: code, field and message', () => {
    expect(answer(new InputError('BAD_USER_INPUT', 'runOffsetSeconds is too large', 'input.runOffsetSeconds'))).toEqual(
      [
        {
          message: 'runOffsetSeconds is too large',
          locations: [{ line: 1, column: 3 }],
          path: ['boom'],
          extensions: { code: 'BAD_USER_INPUT', field: 'input.runOffsetSeconds' },
        },
      ],
    );
  });

  it('mask the unexpected under an id that the log has too', () => {
    const lines: string[] = [];
    const [error] = answer(new Error('password authentication failed for user "amr"'), lines);
    expect(JSON.stringify(error)).not.toContain('password');
    expect(error!.extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR', id: expect.any(String) as string });
    const logged = JSON.parse(lines[0]!) as { errorId: string; path: string; err: { message: string } };
    expect(logged).toMatchObject({
      errorId: error!.extensions!['id'],
      path: 'boom',
      err: { message: expect.stringContaining('password') as string },
    });
  });

  it('mask a GraphQL error of a resolver that carries no code', () => {
    expect(answer(new GraphQLError('secret'))[0]!.message).not.toContain('secret');
  });

  it('keep the code and extensions that a GraphQL error carries, but no server detail', () => {
    const error = new GraphQLError('gone', {
      extensions: { code: 'CURSOR_EXPIRED', oldestCursor: 'c', stacktrace: ['x'], http: { status: 400 } },
    });
    expect(answer(error)[0]).toMatchObject({
      message: 'gone',
      extensions: { code: 'CURSOR_EXPIRED', oldestCursor: 'c' },
    });
    expect(answer(error)[0]!.extensions).not.toHaveProperty('stacktrace');
    expect(answer(error)[0]!.extensions).not.toHaveProperty('http');
  });

  it('call a wrong variable bad input', () => {
    const schema = buildSchema('type Query { boom(at: Int): Int }');
    const document = parse('query ($at: Int) { boom(at: $at) }');
    const { errors } = execute({ schema, document, variableValues: { at: 'noon' } }) as ExecutionResult;
    expect(formatError(errors![0], logTo([]))).toMatchObject({
      message: expect.stringContaining('$at') as string,
      extensions: { code: 'BAD_USER_INPUT' },
    });
  });
});
