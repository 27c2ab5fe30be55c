import {
  execute,
  getOperationAST,
  getVariableValues,
  print,
  visit,
  type DocumentNode,
  type ExecutionArgs,
  type GraphQLFormattedError,
} from 'graphql';
import type { RequestContext } from './context.js';
import { createLoaders } from './loaders.js';
import type { MeterCache } from './meter-cache.js';
import { extentOf, type ReadingRenderer } from './reading-channel.js';
import { readingSelection, selectionKey, type ReadingSelection } from './reading-selection.js';
import { readingsOfColumns } from './reading-stream.js';
import { writeReadings } from './reading-texts.js';
import type { LoggedBatch } from './recent-batches.js';

/** Readings that the executor resolves at once. */
const EXECUTED_AT_ONCE = 500;

export interface SubscriptionArgs extends ExecutionArgs {
  readonly contextValue: RequestContext;
}

export interface RendererOptions {
  readonly meters: MeterCache;
  readonly formatError: (error: unknown) => GraphQLFormattedError;
}

/**
 * Makes the answers of an operation of `meterReadingAdded` as JSON text: written straight from the columns where that is possible,
 * else by the executor; the same text either way, and one for all who select the same and may see the same.
 */
export function readingRenderer(args: SubscriptionArgs, options: RendererOptions): ReadingRenderer<string> {
  const { audience = '' } = args.contextValue;
  const selection = readingSelection(args);
  if (!selection) return { key: `executed ${audience} ${executionKey(args)}`, render: executed(args, options) };
  return { key: `written ${audience} ${selectionKey(selection)}`, render: written(selection, args, options) };
}

type Render = ReadingRenderer<string>['render'];

function written(selection: ReadingSelection, args: SubscriptionArgs, options: RendererOptions): Render {
  const { meters } = options;
  const { organizationId } = args.contextValue;
  const asksForMeter = selection.fields.some((field) => 'meter' in field);
  const byExecutor = executed(args, options);

  const write = (
    entry: LoggedBatch,
    columns: readonly number[],
  ): { texts: Map<number, readonly string[]>; left: number[] } => {
    const { position, batch } = entry;
    const { starts, size } = extentOf(entry);
    const texts = new Map<number, readonly string[]>();
    const left: number[] = [];
    for (const index of columns) {
      const column = batch.columns[index]!;
      const meter = asksForMeter ? meters.get(organizationId, column.meter) : undefined;
      try {
        texts.set(
          index,
          writeReadings(selection, { position, batch, column, start: starts[index]!, size, meter }, 'MeterReading'),
        );
      } catch {
        left.push(index); // an error, which the executor words
      }
    }
    return { texts, left };
  };
  const finish = async (entry: LoggedBatch, columns: readonly number[], missing: readonly string[]) => {
    // Where they cannot be read the executor says so, reading by reading.
    if (missing.length > 0) await meters.load(organizationId, missing).catch(() => undefined);
    const { texts, left } = write(entry, columns);
    if (left.length > 0) for (const [column, answers] of await byExecutor(entry, left)) texts.set(column, answers);
    return texts;
  };
  return (entry, columns) => {
    const missing = asksForMeter
      ? columns
          .map((column) => entry.batch.columns[column]!.meter)
          .filter((meter) => !meters.get(organizationId, meter))
      : [];
    if (missing.length > 0) return finish(entry, columns, missing);
    const { texts, left } = write(entry, columns);
    return left.length > 0 ? finish(entry, columns, []) : texts;
  };
}

/** Each batch is resolved with loaders of its own: the rows of a meter are read once for it, and never grow old. */
function executed(args: SubscriptionArgs, { formatError }: RendererOptions): Render {
  return async (entry, columns) => {
    const { services, organizationId } = args.contextValue;
    const contextValue = { ...args.contextValue, loaders: createLoaders(services, organizationId) };
    const answers = new Map<number, string[]>(columns.map((column) => [column, []]));
    const readings = [...readingsOfColumns(entry, new Set(columns))].flatMap(([column, all]) =>
      all.map((rootValue) => ({ column, rootValue })),
    );
    for (let from = 0; from < readings.length; from += EXECUTED_AT_ONCE) {
      const chunk = readings.slice(from, from + EXECUTED_AT_ONCE);
      const texts = await Promise.all(
        chunk.map(async ({ rootValue }) => {
          const { errors, ...result } = await execute({ ...args, rootValue, contextValue });
          return JSON.stringify({ ...result, ...(errors && { errors: errors.map(formatError) }) });
        }),
      );
      chunk.forEach(({ column }, index) => answers.get(column)!.push(texts[index]!));
    }
    return answers;
  };
}

/** The document without the arguments of the subscription itself, which decide what comes and not what is seen of it. */
function withoutFilter(document: DocumentNode): DocumentNode {
  return visit(document, {
    Field: (node) => (node.name.value === 'meterReadingAdded' ? { ...node, arguments: [] } : undefined),
    VariableDefinition: () => null,
  });
}

function executionKey({ schema, document, operationName, variableValues }: ExecutionArgs): string {
  const bare = withoutFilter(document);
  const used = new Set<string>();
  visit(bare, { Variable: ({ name }) => void used.add(name.value) });
  const definitions = getOperationAST(document, operationName)?.variableDefinitions ?? [];
  const { coerced = {} } = getVariableValues(schema, definitions, variableValues ?? {});
  const values = [...used].sort().map((name) => [name, coerced[name]]);
  return JSON.stringify([operationName ?? '', print(bare), values]);
}
