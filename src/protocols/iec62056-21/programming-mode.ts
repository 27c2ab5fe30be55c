import { MeterError } from '../../errors.js';
import { ACK_MESSAGE, encodeCommand, NAK_MESSAGE } from './commands.js';
import type { Frame } from './frame.js';
import type { Procedure } from './procedure.js';

/** Most partial blocks of one answer, and the most text: bounds what a meter that never ends its answer can cost. */
export const MAX_BLOCKS = 100_000;
export const MAX_ANSWER_CHARACTERS = 16 * 1024 * 1024;

/** `R1`: the text of the answer. `isAnswer` tells it from a late answer to an earlier question. */
export function* readText(
  phase: string,
  dataSet: string,
  isAnswer: (text: string) => boolean = () => true,
): Procedure<string> {
  const command = encodeCommand('R1', dataSet);
  const answers = (frame: Frame) => frame.kind === 'block' && !frame.partial && isAnswer(frame.text);
  const frame = yield { phase, send: command, answers, afterSilence: command };
  if (frame.kind !== 'block') throw new MeterError('REFUSED', `the meter refused to read ${dataSet}`, phase);
  return frame.text;
}

/** `R3`: hands each partial block to `onBlock` as it arrives, so that a broken answer leaves what came before. */
export function* readBlocks(phase: string, dataSet: string, onBlock: (text: string) => void): Procedure<void> {
  const command = encodeCommand('R3', dataSet);
  const answers = (frame: Frame) => frame.kind === 'block';
  let frame = yield { phase, send: command, answers, afterSilence: command };
  for (let blocks = 1, characters = 0; ; blocks++) {
    if (frame.kind !== 'block') throw new MeterError('REFUSED', `the meter refused to read ${dataSet}`, phase);
    onBlock(frame.text);
    if (!frame.partial) return;
    characters += frame.text.length;
    if (blocks >= MAX_BLOCKS || characters > MAX_ANSWER_CHARACTERS) {
      throw new MeterError('PROTOCOL', `the answer to ${dataSet} does not end`, phase);
    }
    // After silence NAK, not another ACK: if only the answer got lost, a second ACK would skip that block. NAK may
    // repeat a block instead, which the consumer can see.
    frame = yield { phase, send: ACK_MESSAGE, answers, afterSilence: NAK_MESSAGE };
  }
}

/** `W1`: undefined when acknowledged, `nak`, or the text of the data set the meter answered with. Never repeated. */
export function* writeText(phase: string, dataSet: string): Procedure<{ refusal: string } | undefined> {
  const frame = yield {
    phase,
    send: encodeCommand('W1', dataSet),
    answers: ({ kind }) => kind === 'ack' || kind === 'block',
  };
  if (frame.kind === 'ack') return undefined;
  return { refusal: frame.kind === 'block' ? frame.text : '' };
}
