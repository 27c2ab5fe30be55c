import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createClient } from 'graphql-ws';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';
import './graphiql.css';
import { takeToken } from './token.js';
import invokeGroup from './examples/invoke-group.graphql';
import cancelRun from './examples/cancel-run.graphql';
import deadLetters from './examples/dead-letters.graphql';
import ingestion from './examples/ingestion.graphql';
import invokeTask from './examples/invoke-task.graphql';
import listMeters from './examples/list-meters.graphql';
import lossAccount from './examples/loss-account.graphql';
import planTask from './examples/plan-task.graphql';
import readReadings from './examples/readings.graphql';
import setUp from './examples/set-up.graphql';
import watchReadings from './examples/watch-readings.graphql';
import watchRuns from './examples/watch-runs.graphql';

const url = new URL('/graphql', window.location.href);

const token = takeToken();
const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
/** Close codes of a server that does not accept the token: another try would end the same way. */
const REFUSED: ReadonlySet<unknown> = new Set([4401, 4403]);

const fetcher = createGraphiQLFetcher({
  url: url.href,
  headers: authorization,
  wsClient: createClient({
    url: url.href.replace(/^http/, 'ws'),
    connectionParams: authorization,
    // GraphiQL shows a failure only when the client gives up; a restart of the server takes less than this.
    retryAttempts: 10,
    shouldRetry: (closed) => !REFUSED.has((closed as { code?: unknown } | undefined)?.code),
  }),
});

/** Shown as tabs at the first visit; the browser remembers what became of them. */
const examples = [
  listMeters,
  watchReadings,
  watchRuns,
  invokeTask,
  invokeGroup,
  cancelRun,
  readReadings,
  setUp,
  planTask,
  ingestion,
  lossAccount,
  deadLetters,
];

createRoot(document.getElementById('graphiql')!).render(
  <GraphiQL
    fetcher={fetcher}
    defaultTabs={examples.map((query) => ({ query, headers: null, variables: null }))}
    defaultQuery={listMeters}
    isHeadersEditorEnabled
    shouldPersistHeaders={false}
  />,
);
