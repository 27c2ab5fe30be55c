import { createRequire } from 'node:module';
import pg from 'pg';
import { vi } from 'vitest';

/** Counts the statements sent from now on, also those of the ORM, which brings a driver of its own. */
export function countStatements() {
  const orm = createRequire(createRequire(import.meta.url).resolve('@mikro-orm/postgresql'));
  const drivers = new Set([pg, orm('pg') as typeof pg]);
  const spies = [...drivers].map((driver) => vi.spyOn(driver.Client.prototype, 'query'));
  return {
    count: () => spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0),
    /** Their SQL. */
    texts: () =>
      spies.flatMap((spy) =>
        spy.mock.calls.map(([query]: unknown[]) =>
          typeof query === 'string' ? query : String((query as { text?: string }).text),
        ),
      ),
    restore: () => spies.forEach((spy) => spy.mockRestore()),
  };
}

/** The statements that `work` sends, and what it returns. */
export async function statementsOf<T>(work: () => Promise<T>): Promise<{ statements: string[]; result: T }> {
  const counted = countStatements();
  try {
    const result = await work();
    return { statements: counted.texts(), result };
  } finally {
    counted.restore();
  }
}
