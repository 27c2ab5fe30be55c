// PostGraphile on the database given, on a free port of loopback; prints its URL when it is ready.
import { createServer } from 'node:http';
import postgraphile from 'postgraphile';

const [connectionString] = process.argv.slice(2);
const handle = postgraphile.postgraphile({ connectionString, max: 10 }, 'public', {
  disableQueryLog: true,
  dynamicJson: true,
  ignoreRBAC: true,
  legacyRelations: 'omit',
  // Of what is only there to look at: nothing.
  graphiql: false,
});
const server = createServer(handle);
server.listen(0, '127.0.0.1', () => console.log(`ready: http://127.0.0.1:${server.address().port}/graphql`));
// Ends with whoever started it.
process.on('disconnect', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
