// Prints every reading as it is stored, over WebSocket, and goes on behind the last one after a lost connection or a restart.
//   node docs/examples/follow-readings.mjs [<cursor file>]
// The file holds the last cursor; without it the program begins with what is stored from now on.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws'; // built into browsers, and into Node.js 22

const [file] = process.argv.slice(2);
const url = process.env.AMR_GRAPHQL_URL ?? 'ws://127.0.0.1:4000/graphql';
const query = `subscription ($after: Cursor) {
  meterReadingAdded(after: $after) { cursor meterDevice { name } series unit timestamp value }
}`;
let after = file && (await readFile(file, 'utf8').catch(() => undefined));
let client;
let stopping = false;

async function follow() {
  // The client itself does not try again: it would repeat the variables, and with them an old cursor.
  client = createClient({
    url,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: process.env.AMR_TOKEN && { authorization: `Bearer ${process.env.AMR_TOKEN}` },
    on: { connected: () => console.log(`connected${after ? `, going on behind ${after}` : ''}`) },
  });
  for await (const { data, errors } of client.iterate({ query, variables: { after } })) {
    if (errors) throw errors;
    const { cursor, meterDevice, series, unit, timestamp, value } = data.meterReadingAdded;
    console.log(`${timestamp} ${meterDevice.name} ${series} ${value} ${unit ?? ''}`);
    after = cursor; // once the reading is safe: what comes behind the cursor comes again
    if (file) {
      await writeFile(`${file}.new`, after);
      await rename(`${file}.new`, file);
    }
  }
}

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    stopping = true;
    void client?.dispose();
  });
}
for (let waitMs = 500; !stopping; waitMs = Math.min(waitMs * 2, 10_000)) {
  const before = after;
  try {
    await follow();
  } catch (error) {
    if (stopping) break;
    const [refusal] = Array.isArray(error) ? error : [];
    if (refusal?.extensions?.code === 'CURSOR_EXPIRED') {
      // Readings were missed for longer than they are kept in the log: fetch the time between with the query `readings`.
      console.error(refusal.message);
      after = refusal.extensions.oldestCursor;
    } else if (refusal && refusal.extensions?.code !== 'INTERNAL_SERVER_ERROR') {
      console.error(refusal.message);
      process.exit(1); // a wrong token or cursor does not get better by trying
    } else {
      console.error(`connection lost: ${refusal?.message ?? error?.reason ?? error?.message ?? error}`);
    }
  }
  if (after !== before) waitMs = 500;
  if (!stopping) await new Promise((resolve) => setTimeout(resolve, waitMs));
}
