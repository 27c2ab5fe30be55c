import { explorerPlugin } from '@graphiql/plugin-explorer';
import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createClient } from 'graphql-ws';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';
import './graphiql.css';
import invokeGroup from './examples/invoke-group.graphql';
import cancelRun from './examples/cancel-run.graphql';
import deadLetters from './examples/dead-letters.graphql';
import importMeters from './examples/import-meters.graphql';
import ingestion from './examples/ingestion.graphql';
import invokeTask from './examples/invoke-task.graphql';
import latestReadings from './examples/latest-readings.graphql';
import listMeters from './examples/list-meters.graphql';
import lossAccount from './examples/loss-account.graphql';
import planTask from './examples/plan-task.graphql';
import readReadings from './examples/readings.graphql';
import resumeReadings from './examples/resume-readings.graphql';
import setUp from './examples/set-up.graphql';
import stagedMeters from './examples/staged-meters.graphql';
import watchReadings from './examples/watch-readings.graphql';
import watchRuns from './examples/watch-runs.graphql';
import { authorization, takeToken } from './token.js';
import { tokenPlugin } from './token-plugin.js';

takeToken();

const url = new URL('/graphql', window.location.href);

/** Close codes of a server that does not accept the token: another try would end the same way. */
const REFUSED: ReadonlySet<unknown> = new Set([4401, 4403]);

const send = createGraphiQLFetcher({
  url: url.href,
  wsClient: createClient({
    url: url.href.replace(/^http/, 'ws'),
    connectionParams: authorization,
    // GraphiQL shows a failure only when the client gives up; a restart of the server takes less than this.
    retryAttempts: 10,
    shouldRetry: (closed) => !REFUSED.has((closed as { code?: unknown } | undefined)?.code),
  }),
});

/** What the headers editor says goes before the token of the tab. */
const fetcher: Fetcher = (operation, options) =>
  send(operation, { ...options, headers: { ...authorization(), ...options?.headers } });

/** Shown as tabs at the first visit; the browser remembers what became of them. */
const examples = [
  listMeters,
  setUp,
  importMeters,
  planTask,
  invokeTask,
  invokeGroup,
  cancelRun,
  watchRuns,
  watchReadings,
  resumeReadings,
  latestReadings,
  readReadings,
  stagedMeters,
  ingestion,
  lossAccount,
  deadLetters,
];

createRoot(document.getElementById('graphiql')!).render(
  <GraphiQL
    fetcher={fetcher}
    defaultTabs={examples.map((query) => ({ query, headers: null, variables: null }))}
    defaultQuery={listMeters}
    plugins={[explorerPlugin(), tokenPlugin]}
    isHeadersEditorEnabled
    shouldPersistHeaders={false}
  />,
);
