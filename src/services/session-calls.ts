import { MeterError } from '../errors.js';
import type { SessionCall } from '../execution/execution-context.js';
import type { PollSessionMessage } from '../messaging/contracts.js';

type Call = PollSessionMessage['calls'][number];

/** The calls of one session and where each stands: waiting, cancelled, at the meter, or settled once its outcome is reported. */
export class SessionCalls {
  private readonly unsettled: Map<string, Call>;
  private readonly cancelled: Set<string>;
  /** The run whose call is being carried out. */
  private atMeter: string | undefined;
  /** The run whose call ended last: to cancel it is too late. */
  private ended: string | undefined;

  constructor(calls: readonly Call[], isCancelled: (run: string) => boolean) {
    this.unsettled = new Map(calls.map((call) => [call.run, call]));
    this.cancelled = new Set([...this.unsettled.keys()].filter(isCancelled));
  }

  /**
   * Takes a cancellation. True when it cuts the session off: the call at the meter is cancelled, or all calls are before
   * the first began. Between two calls a session ends by itself and in order, as there is none to go on with.
   */
  cancel(run: string): boolean {
    this.cancelled.add(run);
    if (this.atMeter !== undefined) return this.cancelled.has(this.atMeter);
    return this.ended === undefined && this.waiting().length === 0;
  }

  /** Neither settled nor cancelled. */
  waiting(): Call[] {
    return [...this.unsettled.values()].filter(({ run }) => !this.cancelled.has(run));
  }

  /** Cancelled before their turn came, and not settled. */
  withdrawn(): string[] {
    const begun = [this.atMeter, this.ended];
    return [...this.unsettled.keys()].filter((run) => this.cancelled.has(run) && !begun.includes(run));
  }

  /**
   * The calls of one execution type, each when its turn comes: one that is cancelled by then is left out. Throws the
   * reason of `over` instead of giving a call to a session that has ended.
   */
  *turns(type: string, over: AbortSignal): Generator<SessionCall> {
    for (const { run, meter_execution_type, task_call, task_kwargs, resume } of this.waiting()) {
      if (meter_execution_type !== type || this.cancelled.has(run)) continue;
      over.throwIfAborted();
      this.atMeter = run;
      yield { runId: run, taskCall: task_call, kwargs: task_kwargs, resume };
    }
  }

  /** The call at the meter has ended, however; its outcome is reported next. */
  leaveMeter(run: string): void {
    this.atMeter = undefined;
    this.ended = run;
  }

  settled(run: string): void {
    this.unsettled.delete(run);
  }

  /** What each run without an outcome ends with, now that `reason` has ended the session. */
  endings(reason: MeterError): [run: string, error: MeterError][] {
    const withdrawn = this.withdrawn();
    return [...this.unsettled.keys()].map((run) => {
      if (withdrawn.includes(run)) return [run, withdrawnError()];
      const isBystander = reason.code === 'CANCELLED' && run !== this.atMeter;
      // Neither the meter's failure nor anybody's wish for this run: it is sent again.
      return [run, isBystander ? new MeterError('LOST', BYSTANDER) : reason];
    });
  }
}

const BYSTANDER = 'another run of the session was cancelled, which ended the session before the call of this one';

export function withdrawnError(): MeterError {
  return new MeterError('CANCELLED', 'the run was cancelled before its call began');
}
