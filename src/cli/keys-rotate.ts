import { SingleBar } from 'cli-progress';
import { loadConfig } from '../config.js';
import { keyIdOf, KeyRing } from '../credentials.js';
import { StartupError } from '../errors.js';
import { CommandError, EXIT, type CliIo } from './io.js';
import { withPool } from './with-pool.js';

interface RotateOptions {
  dryRun?: boolean;
  batch: number;
}

/** Seals all credentials for the new key, and tells whether an old one is still needed. */
export async function rotateKeys({ dryRun = false, batch }: RotateOptions, io: CliIo): Promise<void> {
  const config = loadConfig(io.env);
  const { credentialsPublicKey: publicKey, credentialsPrivateKey: privateKeys } = config;
  if (publicKey === undefined) {
    throw new StartupError('AMR_CREDENTIALS_PUBLIC_KEY is not set. Set the new one: `amr keys create` makes a pair.');
  }
  if (privateKeys === undefined) {
    throw new StartupError(
      'AMR_CREDENTIALS_PRIVATE_KEY is not set. Set the keys that open the credentials as they are now, separated by commas.',
    );
  }
  const newId = keyIdOf(publicKey);
  const ring = KeyRing.parse(privateKeys);
  if (!ring.ids.includes(newId)) {
    io.note(`AMR_CREDENTIALS_PRIVATE_KEY lacks the key ${newId}: make sure that pollers have it.`);
  }
  const { keysInUse, rotateCredentials } = await import('../services/key-rotation.js');
  await withPool(config, 'keys', async (pool) => {
    const before = await keysInUse(pool);
    const total = sum(before) - (before.get(newId) ?? 0);
    const signal = io.interrupted();
    const report = progress(total);
    let result: Awaited<ReturnType<typeof rotateCredentials>>;
    try {
      result = await rotateCredentials(pool, { ring, publicKey, batch, dryRun, signal, onProgress: report.advance });
    } finally {
      report.stop();
    }
    for (const { meter, reason } of result.named) io.note(`meter ${JSON.stringify(meter)}: ${reason}`);
    const verb = dryRun ? 'can be sealed' : 'are sealed';
    io.out(`${result.resealed} meters ${verb} for key ${newId}, ${result.unreadable} could not be opened`);
    if (signal.aborted) throw new CommandError(EXIT.interrupted, 'Interrupted. The same command goes on from here.');
    if (dryRun) {
      if (result.unreadable > 0) throw new CommandError(EXIT.failed, 'Not all credentials can be opened, see above.');
      return;
    }
    const after = await keysInUse(pool);
    after.delete(newId);
    if (sum(after) === 0) {
      const seconds = (config.startByMs + config.sessionCapMs) / 1000;
      io.out(
        `No old key is needed any more. Take it from the pollers in ${seconds} s, when sessions under way are over.`,
      );
      return;
    }
    const list = [...after].map(([id, meters]) => `${id} (${meters} meters)`).join(', ');
    throw new CommandError(
      EXIT.failed,
      `Still needed: ${list}. Set the credentials of meters that cannot be opened again; where others come back, a server still has the old AMR_CREDENTIALS_PUBLIC_KEY. Then start this again.`,
    );
  });
}

const sum = (counts: ReadonlyMap<string, number>) => [...counts.values()].reduce((total, count) => total + count, 0);

function progress(total: number): { advance: (meters: number) => void; stop: () => void } {
  if (total === 0 || !process.stderr.isTTY) return { advance: () => undefined, stop: () => undefined };
  const bar = new SingleBar({ format: '{bar} {value} of {total} meters | {eta_formatted}', stream: process.stderr });
  bar.start(total, 0);
  return { advance: (meters) => bar.increment(meters), stop: () => bar.stop() };
}
