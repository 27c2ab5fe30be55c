/** When a meter is at a place: from an instant on, to an instant excluded; null while it is there. */
export interface InstallationPeriod {
  readonly installedAt: Date;
  readonly removedAt: Date | null;
}

/** Whether there is an instant in both. One that ends as the other begins leaves the place to it. */
export function overlap(a: InstallationPeriod, b: InstallationPeriod): boolean {
  return beginsBeforeEnd(a, b) && beginsBeforeEnd(b, a);
}

function beginsBeforeEnd({ installedAt }: InstallationPeriod, { removedAt }: InstallationPeriod): boolean {
  return removedAt === null || installedAt < removedAt;
}
