import { expect, it } from 'vitest';
import { MeterError } from '../../src/errors.js';
import { SessionCalls } from '../../src/services/session-calls.js';

const calls = ['a', 'b', 'c'].map((run) => ({
  run,
  meter_execution_type: 'generic_lis200',
  task_call: 'read_single_value',
  task_kwargs: {},
}));
const session = (...cancelled: string[]) => new SessionCalls(calls, (run) => cancelled.includes(run));
const live = new AbortController().signal;
const CANCELLED = new MeterError('CANCELLED', 'cancelled at the meter', 'read archive 3');
const endings = (session: SessionCalls, reason: MeterError) =>
  session.endings(reason).map(([run, { code }]) => `${run} ${code}`);

it('gives no call to a session that is over', () => {
  const over = new AbortController();
  const turns = session().turns('generic_lis200', over.signal);
  expect(turns.next().value).toMatchObject({ runId: 'a' });
  over.abort(CANCELLED);
  expect(() => turns.next()).toThrow(CANCELLED);
});

it('tells the run that was at the meter from those that stood behind it', () => {
  const one = session('b');
  one.turns('generic_lis200', live).next();
  expect(one.cancel('c')).toBe(false);
  expect(one.cancel('a')).toBe(true);
  expect(one.endings(CANCELLED)[0]).toEqual(['a', CANCELLED]);
  expect(endings(one, CANCELLED)).toEqual(['a CANCELLED', 'b CANCELLED', 'c CANCELLED']);

  const other = session('b');
  other.turns('generic_lis200', live).next();
  other.cancel('a');
  expect(endings(other, CANCELLED)).toEqual(['a CANCELLED', 'b CANCELLED', 'c LOST']);
});

it('ends all with the error of the line but those that were cancelled', () => {
  const one = session('b');
  one.turns('generic_lis200', live).next();
  expect(endings(one, new MeterError('TIMEOUT', 'silence'))).toEqual(['a TIMEOUT', 'b CANCELLED', 'c TIMEOUT']);
});

it('does not take a call that has ended for one that never began', () => {
  const one = session();
  one.turns('generic_lis200', live).next();
  one.leaveMeter('a');
  expect(one.cancel('a')).toBe(false);
  expect(endings(one, new MeterError('INTERNAL', 'its outcome could not be told'))[0]).toBe('a INTERNAL');
});

it('is cut off before its first call only when nothing is left to do', () => {
  const one = session();
  expect([one.cancel('a'), one.cancel('b'), one.cancel('c')]).toEqual([false, false, true]);
});
