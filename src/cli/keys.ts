import type { Command } from 'commander';
import { createKeyPair } from '../credentials.js';
import type { CliIo } from './io.js';

export function addKeys(program: Command, io: CliIo): void {
  program
    .command('keys')
    .description('Keys that seal meter credentials')
    .command('create')
    .description('Print a new key pair as settings')
    .addHelpText(
      'after',
      '\nThe public key belongs to `amr server`, the private one to `amr poller` only. `amr up` makes its own.',
    )
    .action(() => {
      const { publicKey, privateKey } = createKeyPair();
      io.out('# The API seals meter credentials with the public key.');
      io.out(`AMR_CREDENTIALS_PUBLIC_KEY=${publicKey}`);
      io.out(
        '# Pollers open them with the private key. Keep it secret, and keep a copy: without it all credentials must be set again.',
      );
      io.out(`AMR_CREDENTIALS_PRIVATE_KEY=${privateKey}`);
    });
}
