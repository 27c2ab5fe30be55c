/** Sessions in a row that do not reach a network interface before its scheduled sessions wait. */
const FAILURES_TO_OPEN = 5;
const FIRST_HOLD_MS = 60_000;
const LONGEST_HOLD_MS = 1_800_000;

/**
 * Milliseconds that scheduled sessions on an interface wait after `failures` sessions in a row did not reach it, or
 * undefined while these are too few. The session after the wait is a probe: reaching the interface ends the count, not
 * reaching it doubles the wait. Jittered by a fifth, so that the gateways of a broken network are not probed at once.
 * @param random in [0, 1)
 */
export function holdMs(failures: number, random: number): number | undefined {
  if (failures < FAILURES_TO_OPEN) return undefined;
  const hold = Math.min(LONGEST_HOLD_MS, FIRST_HOLD_MS * 2 ** Math.min(20, failures - FAILURES_TO_OPEN));
  return Math.round(hold * (0.8 + 0.2 * random));
}
