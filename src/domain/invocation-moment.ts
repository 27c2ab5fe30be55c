/**
 * The moment of an invocation becomes the `scheduledFor` of its runs, of which a task has one for each meter and
 * millisecond. Slots end on whole seconds; groups are invoked at hundredths of a second between them, single calls at
 * the milliseconds between those. So none is taken for another, and a group's runs are found by their tasks and their
 * moment alone. All in milliseconds since the epoch.
 */
const GROUP_STEP_MS = 10;
/** Moments that are tried when others invoke the same at the same time. */
const MAX_MOMENTS = 50;

/** Moments for a single call asked for at `askedAt`, best first: of calls at the same moment the later ones move on. */
export function* singleCallMoments(askedAt: number): Generator<number, void, void> {
  for (let at = askedAt, left = MAX_MOMENTS; left > 0; at++) {
    if (at % GROUP_STEP_MS === 0) continue;
    yield at;
    left--;
  }
}

/** Moments for a group asked for at `askedAt`, best first. None lies ahead: its runs are due when they are made. */
export function* groupMoments(askedAt: number): Generator<number, void, void> {
  for (let at = askedAt - (askedAt % GROUP_STEP_MS), left = MAX_MOMENTS; left > 0; at -= GROUP_STEP_MS) {
    if (at % 1000 === 0) continue;
    yield at;
    left--;
  }
}
