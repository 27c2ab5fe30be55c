/** How long a reading of an unknown meter waits for it. */
export const STAGED_KEPT_DAYS = 30;

/** When a staged reading is discarded, if its meter is not created before. */
export function stagedUntil(receivedAt: Date): Date {
  return new Date(receivedAt.getTime() + STAGED_KEPT_DAYS * 86_400_000);
}
