import { describe, expect, it } from 'vitest';
import { RunOrigin, TaskRunState } from '../../src/domain/enums.js';
import { requireRunsAlone } from '../../src/services/task-run-selection.js';
import { matchesRun, RunInbox, streamRuns, type RunRow } from '../../src/graphql/run-stream.js';

const run = (id: string, state: TaskRunState, more: Partial<RunRow> = {}): RunRow => ({
  id,
  state,
  meterDeviceId: 'meter',
  amrTaskId: null,
  origin: RunOrigin.ON_DEMAND,
  scheduledFor: new Date('2026-01-31T09:00:00Z'),
  errorCode: null,
  meterExecutionType: 'generic_lis200',
  taskCall: 'set_time',
  finishedAt: null,
  ...more,
});

/** A subscriber of a table of runs that tests change; `loads` are the ids of each query. */
function subscriber(
  table: Map<string, RunRow>,
  load = async (ids: readonly string[]) => ids.flatMap((id) => table.get(id) ?? []),
) {
  const inbox = new RunInbox('organization');
  const loads: (readonly string[])[] = [];
  const stop = new AbortController();
  const runs = streamRuns(
    inbox,
    {},
    (_organization, ids) => {
      loads.push(ids);
      return load(ids);
    },
    async () => undefined,
    stop.signal,
  );
  return { inbox, loads, runs, stop };
}

describe('live runs', () => {
  it('load runs that changed meanwhile together, and show each once', async () => {
    const table = new Map(['a', 'b'].map((id) => [id, run(id, TaskRunState.RUNNING)]));
    const { inbox, loads, runs } = subscriber(table);
    inbox.add(['a', 'b', 'a']);
    expect([(await runs.next()).value, (await runs.next()).value]).toMatchObject([...table.values()]);
    expect(loads).toEqual([['a', 'b']]);
  });

  it('do not repeat a run that looks the same', async () => {
    const table = new Map([['a', run('a', TaskRunState.RUNNING)]]);
    const { inbox, runs } = subscriber(table);
    inbox.add(['a']);
    await runs.next();
    const next = runs.next();
    inbox.add(['a']);
    await new Promise(setImmediate);
    table.set('a', run('a', TaskRunState.SUCCEEDED));
    inbox.add(['a']);
    expect((await next).value).toMatchObject({ state: TaskRunState.SUCCEEDED });
  });

  it('look again at unfinished runs after news may have been missed', async () => {
    const table = new Map([
      ['open', run('open', TaskRunState.RUNNING)],
      ['done', run('done', TaskRunState.SUCCEEDED)],
    ]);
    const { inbox, loads, runs } = subscriber(table);
    inbox.add(['open', 'done']);
    await runs.next();
    await runs.next();
    table.set('open', run('open', TaskRunState.FAILED));
    inbox.recheck();
    expect((await runs.next()).value).toMatchObject({ id: 'open', state: TaskRunState.FAILED });
    expect(loads.at(-1)).toEqual(['open']);
  });

  it('come after the database has failed', async () => {
    const table = new Map([['a', run('a', TaskRunState.RUNNING)]]);
    let failures = 1;
    const { inbox, runs } = subscriber(table, async (ids) => {
      if (failures-- > 0) throw new Error('connection lost');
      return ids.map((id) => table.get(id)!);
    });
    inbox.add(['a']);
    expect((await runs.next()).value).toMatchObject({ id: 'a' });
  });

  it('keep the newest ids of a subscriber that does not read', async () => {
    const { inbox } = subscriber(new Map());
    inbox.add(Array.from({ length: 10_003 }, (_, i) => String(i)));
    const signal = new AbortController().signal;
    expect((await inbox.take(signal))[0]).toBe('3');
  });

  it('end when the subscriber leaves', async () => {
    const { runs, stop } = subscriber(new Map());
    const next = runs.next();
    stop.abort();
    expect((await next).done).toBe(true);
  });

  it.each([
    [{}, true],
    [{ meterDevice: 'METER' }, true],
    [{ meterDevice: 'other' }, false],
    [{ amrTask: 'task' }, false],
    [{ states: [TaskRunState.FAILED] }, false],
    [{ origin: RunOrigin.ON_DEMAND, states: [TaskRunState.RUNNING] }, true],
    [{ errorCode: 'TIMEOUT' }, false],
    [{ from: new Date('2026-01-31T09:00:00Z') }, true],
    [{ to: new Date('2026-01-31T09:00:00Z') }, false],
  ])('match %j: %s', (filter, expected) => {
    expect(matchesRun(filter, run('a', TaskRunState.RUNNING, { errorCode: 'TIMEOUT' }))).toBe(expected);
  });

  it.each([
    [{ ids: ['A', 'b'] }, true],
    [{ ids: ['b'] }, false],
    [{ meterDevices: ['METER'] }, true],
    [{ amrTasks: ['task'] }, false],
    [{ taskCall: 'set_time', meterExecutionType: 'generic_lis200' }, true],
    [{ taskCall: 'read' }, false],
    [{ errorCodes: ['BUSY', 'TIMEOUT'] }, true],
    [{ finishedFrom: new Date('2026-01-31T09:00:00Z') }, true],
    [{ finishedTo: new Date('2026-01-31T09:00:00Z') }, false],
  ])('match %j as lists do', (filter, expected) => {
    const finishedAt = new Date('2026-01-31T09:01:00Z');
    expect(matchesRun(filter, run('a', TaskRunState.FAILED, { errorCode: 'TIMEOUT', finishedAt }))).toBe(expected);
  });

  it('refuse what a run alone does not tell', () => {
    expect(() => requireRunsAlone({ segment: 'x' })).toThrow(/filter.segment is for lists/);
    expect(() => requireRunsAlone({ meterDevices: ['x'] })).not.toThrow();
  });

  it('match an error only once it is the last', () => {
    const filter = { errorCode: 'TIMEOUT' };
    expect(matchesRun(filter, run('a', TaskRunState.FAILED, { errorCode: 'TIMEOUT' }))).toBe(true);
    expect(matchesRun(filter, run('a', TaskRunState.FAILED, { errorCode: 'BUSY' }))).toBe(false);
  });
});
