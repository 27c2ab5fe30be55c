import { describe, expect, it, vi } from 'vitest';
import { RunOrigin, TaskRunState } from '../../src/domain/enums.js';
import { RunHub } from '../../src/graphql/run-hub.js';
import type { RunFilterInput, RunRow } from '../../src/graphql/run-stream.js';

const run = (id: string, meterDeviceId: string, amrTaskId: string | null = null): RunRow => ({
  id,
  meterDeviceId,
  amrTaskId,
  state: TaskRunState.RUNNING,
  origin: RunOrigin.SCHEDULED,
  scheduledFor: new Date('2026-01-31T09:00:00Z'),
  errorCode: null,
  meterExecutionType: 'generic_lis200',
  taskCall: 'read_archive',
  finishedAt: null,
});
const table = new Map(
  [run('1', 'a', 't'), run('2', 'b', 't'), run('3', 'b'), run('4', 'c')].map((row) => [row.id, row]),
);
const never = new AbortController().signal;

function hub() {
  const loads: (readonly string[])[] = [];
  let failures = 0;
  const made = new RunHub({
    load: async (_organization, ids) => {
      loads.push(ids);
      if (failures-- > 0) throw new Error('connection lost');
      return ids.flatMap((id) => table.get(id) ?? []);
    },
    retry: async () => undefined,
  });
  const follow = (filter: RunFilterInput) => {
    const { inbox, end } = made.follow('o', filter);
    const add = vi.spyOn(inbox, 'add');
    return { inbox, end, told: () => add.mock.calls.flat(2) };
  };
  return { made, loads, follow, fail: () => (failures = 1) };
}

describe('changed runs', () => {
  it('are read once, and told to those whose meter or task they are of', async () => {
    const { made, loads, follow } = hub();
    const [ofA, ofTask, ofB, all] = [
      follow({ meterDevice: 'A' }),
      follow({ amrTask: 't' }),
      follow({ meterDevice: 'b', amrTask: 't' }),
      follow({}),
    ];
    made.changed('o', ['1', '2', '3', '4']);
    made.changed('elsewhere', ['1']);
    await all.inbox.take(never);
    expect([ofA.told(), ofTask.told(), ofB.told()]).toEqual([['1'], ['1', '2'], ['2']]);
    expect(await made.load('o', ['1', '2'])).toEqual([table.get('1'), table.get('2')]);
    expect(loads).toEqual([['1', '2', '3', '4']]);
  });

  it('are read again when they change again', async () => {
    const { made, loads, follow } = hub();
    const { inbox } = follow({});
    made.changed('o', ['1']);
    await inbox.take(never);
    made.changed('o', ['1']);
    await inbox.take(never);
    expect(loads).toEqual([['1'], ['1']]);
  });

  it('are told after the database has failed', async () => {
    const { made, follow, fail } = hub();
    const { inbox } = follow({});
    fail();
    made.changed('o', ['1']);
    expect(await inbox.take(never)).toEqual(['1']);
  });

  it('are not read when nobody follows any more', async () => {
    const { made, loads, follow } = hub();
    follow({}).end();
    made.changed('o', ['1']);
    expect(loads).toEqual([]);
  });
});
