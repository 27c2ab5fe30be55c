import type { Command } from 'commander';
import { createKeyPair, keyIdOf } from '../credentials.js';
import type { CliIo } from './io.js';
import { listKeys } from './keys-list.js';
import { rotateKeys } from './keys-rotate.js';
import { wholeNumber } from './options.js';

export function addKeys(program: Command, io: CliIo): void {
  const keys = program.command('keys').description('Keys that seal meter credentials');
  keys
    .command('create')
    .description('Print a new key pair as settings')
    .addHelpText(
      'after',
      '\nThe public key belongs to `amr server`, the private one to `amr poller` only. `amr up` makes its own.',
    )
    .action(() => {
      const { publicKey, privateKey } = createKeyPair();
      io.out(`# Key ${keyIdOf(publicKey)}. The API seals meter credentials with the public key.`);
      io.out(`AMR_CREDENTIALS_PUBLIC_KEY=${publicKey}`);
      io.out(
        '# Pollers open them with the private key. Keep it secret, and keep a copy: without it all credentials must be set again.',
      );
      io.out(`AMR_CREDENTIALS_PRIVATE_KEY=${privateKey}`);
    });
  keys
    .command('list')
    .description(
      'List the keys of this environment and, with DATABASE_URL, of how many meters each seals the credentials',
    )
    .action(() => listKeys(io));
  keys
    .command('rotate')
    .description('Seal the credentials of all meters for AMR_CREDENTIALS_PUBLIC_KEY; nothing is stopped')
    .option('--dry-run', 'only check that all credentials can be opened')
    .option('--batch <number>', 'meters in one transaction', wholeNumber(1, 10_000), 500)
    .addHelpText(
      'after',
      `
Needs DATABASE_URL, the old keys in AMR_CREDENTIALS_PRIVATE_KEY (several separated by commas) and the new AMR_CREDENTIALS_PUBLIC_KEY.
Before it: give pollers the new private key beside the old one, then servers the new public key. See docs/operations.md.
Interrupted, the same command goes on.

Exit codes: 0 no old key is needed any more, 1 some credentials are still sealed for another key, 2 wrong usage.`,
    )
    .action((options: { dryRun?: boolean; batch: number }) => rotateKeys(options, io));
}
