import { MeterError } from '../errors.js';
import { readPeriodMinutes, writeClock } from '../protocols/lis200/clock.js';
import type { CallOutcome } from './execution-context.js';
import type { Lis200Session } from './lis200-session.js';

/** Old and new time keep this distance from the end of an archive period. */
const PERIOD_END_GUARD_MS = 30_000;
const PHASE = 'set clock';

/**
 * Sets the clock if it deviates by more than `allowedSeconds`. Refuses with `CLOCK_DRIFT_TOO_LARGE` above
 * `maximumSeconds`, and with `REFUSED` at moments at which a jump would write an archive row twice or not at all.
 */
export async function setTime(
  session: Lis200Session,
  { allowedSeconds, maximumSeconds }: { allowedSeconds: number; maximumSeconds: number },
  outcome: CallOutcome,
): Promise<void> {
  const before = await session.measureClock();
  outcome.clockDeviationSeconds = before.deviationSeconds;
  const drift = Math.abs(before.deviationSeconds);
  const report = { set: false, old_clock: iso(before.meterMs), deviation_seconds: before.deviationSeconds };
  outcome.result = report;
  if (drift <= allowedSeconds) return;
  if (drift > maximumSeconds) {
    const message = `the clock deviates by ${before.deviationSeconds} s, more than maximum_drift_seconds (${maximumSeconds})`;
    throw new MeterError('CLOCK_DRIFT_TOO_LARGE', message, PHASE);
  }

  const zone = await session.zone();
  const periodMs = (await session.run(readPeriodMinutes())) * 60_000;
  const after = await session.unlocked(async () => {
    const now = session.now();
    const meterNow = now + before.deviationSeconds * 1000;
    if (zone.changesNear(now) || zone.changesNear(meterNow)) throw badMoment('while summer time begins or ends');
    assertSamePeriod(zone.toWall(meterNow), zone.toWall(now), periodMs);
    // As late as possible: every exchange before this one would have made the time older.
    await session.run(writeClock(zone.toWall(Math.round(session.now() / 1000) * 1000)));
    outcome.result = { ...report, set: true };
    return session.measureClock();
  });
  outcome.result = {
    ...report,
    set: true,
    new_clock: iso(after.meterMs),
    new_deviation_seconds: after.deviationSeconds,
  };
  outcome.clockDeviationSeconds = after.deviationSeconds;
  if (Math.abs(after.deviationSeconds) >= drift) {
    throw new MeterError(
      'REFUSED',
      'the meter acknowledged the new time, but its clock did not come closer to it',
      PHASE,
    );
  }
}

/** A jump over the end of a period loses its row or writes it twice. A drift beyond a period cannot avoid that. */
function assertSamePeriod(oldWallMs: number, newWallMs: number, periodMs: number): void {
  for (const wallMs of [oldWallMs, newWallMs]) {
    const intoPeriod = wallMs % periodMs;
    if (Math.min(intoPeriod, periodMs - intoPeriod) < PERIOD_END_GUARD_MS && periodMs > 2 * PERIOD_END_GUARD_MS) {
      throw badMoment(`within ${PERIOD_END_GUARD_MS / 1000} s of the end of an archive period`);
    }
  }
  const samePeriod = Math.floor(oldWallMs / periodMs) === Math.floor(newWallMs / periodMs);
  if (!samePeriod && Math.abs(oldWallMs - newWallMs) < periodMs) throw badMoment('over the end of an archive period');
}

function badMoment(when: string): MeterError {
  return new MeterError('REFUSED', `the clock is not set ${when}: run it at another minute (runOffsetSeconds)`, PHASE);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
