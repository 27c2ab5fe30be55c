import { MeterError } from '../../errors.js';
import { encodeOptionSelect, encodeRequest } from './commands.js';
import { parseIdentification, type Identification } from './identification.js';
import type { Procedure } from './procedure.js';

const PHASE = 'sign-on';

/**
 * Request and identification (clause 6.3.1, 6.3.2). A device whose address does not match stays silent, so a wrong
 * address ends in `TIMEOUT`.
 */
export function* signOn(address?: string): Procedure<Identification> {
  const request = encodeRequest(address);
  const frame = yield {
    phase: PHASE,
    send: request,
    answers: ({ kind }) => kind === 'identification',
    afterSilence: request,
  };
  if (frame.kind !== 'identification') throw new MeterError('REFUSED', 'the meter refused the request message', PHASE);
  return parseIdentification(frame.text);
}

/** Selects programming mode (mode C); answers the operand of the meter's `P0`, which a password algorithm may need. */
export function* enterProgrammingMode({ baudRate }: Identification): Procedure<string> {
  const select = encodeOptionSelect(baudRate, 'programming');
  const frame = yield {
    phase: PHASE,
    send: select,
    answers: (answer) => answer.kind === 'command' && answer.command === 'P0',
    afterSilence: select,
  };
  if (frame.kind !== 'command') throw new MeterError('REFUSED', 'the meter refused programming mode', PHASE);
  return frame.text;
}
