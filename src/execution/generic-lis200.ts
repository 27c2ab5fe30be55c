import { MeterError, messageOf } from '../errors.js';
import type { CallOutcome, ExecutionContext, SessionEnvironment, SessionRequest } from './execution-context.js';
import { Iec62056Line } from './iec62056-line.js';
import { lis200Calls } from './lis200-calls.js';
import { Lis200Session } from './lis200-session.js';

/** Gas volume converters and data loggers that speak LIS200 over IEC 62056-21 programming mode. */
export const genericLis200: ExecutionContext = {
  name: 'generic_lis200',
  description: 'LIS200 devices (EK, TC and DL series): values, archives and clock over IEC 62056-21 mode C.',
  calls: lis200Calls,
  run,
};

async function* run(request: SessionRequest, environment: SessionEnvironment): AsyncGenerator<CallOutcome, void, void> {
  const line = new Iec62056Line(environment.link, environment);
  try {
    const session = await Lis200Session.open(line, request, environment);
    for (const { runId, taskCall, kwargs, resume } of request.calls) {
      const outcome: CallOutcome = { runId, readings: [] };
      try {
        const call = lis200Calls.get(taskCall);
        if (!call) throw new MeterError('UNSUPPORTED', `generic_lis200 has no task call ${JSON.stringify(taskCall)}`);
        await call.execute(session, kwargs, outcome, resume);
      } catch (error) {
        outcome.error =
          error instanceof MeterError
            ? error
            : new MeterError('INTERNAL', messageOf(error), taskCall, { cause: error });
      }
      // There is nothing to go on with when all was read.
      if (!outcome.error) delete outcome.resume;
      yield outcome;
      // A refusal leaves the session in order; a broken line ends it for the calls still to come.
      if (line.failure) throw line.failure;
    }
  } finally {
    // Without it the meter ignores the next sign-on until its own time-out.
    await line.sendBreak();
  }
}
