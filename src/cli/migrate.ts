import type { Command } from 'commander';
import { loadConfig } from '../config.js';
import { StartupError } from '../errors.js';
import type { CliIo } from './io.js';

export function addMigrate(program: Command, io: CliIo): void {
  program
    .command('migrate')
    .description('Bring the schema of DATABASE_URL up to date (`amr up` does so by itself)')
    .action(async () => {
      const config = loadConfig(io.env);
      const url = config.databaseUrl;
      if (url === undefined) {
        throw new StartupError('DATABASE_URL is not set. Set it to postgresql://user:password@host:5432/database.');
      }
      const [{ describeUrl, openDatabase }, { migrate }, { createLogger }] = await Promise.all([
        import('../db/database.js'),
        import('../db/migrate.js'),
        import('../telemetry.js'),
      ]);
      // Says what is wrong with the server, if anything, before it is changed.
      await (await openDatabase(url, 'migrate', createLogger(config, 'migrate'))).close();
      const applied = await migrate(url);
      for (const name of applied) io.out(`applied ${name}`);
      io.out(`${describeUrl(url)} is up to date`);
    });
}
