import { drawDistinct } from '../domain/seeded-random.js';
import type { Disturbances, LoadMessage } from './load.js';
import { seededId } from './messages.js';

/** Shares of the messages, 0 to 1. */
export type DisturbanceShares = Record<keyof Omit<Disturbances, 'shuffled'> | 'shuffle', number>;

/** Furthest that a shuffled message, or the copy of a duplicate, moves: in places of the undisturbed order. */
export const MAX_DISTANCE = 50;

/** A message and where it stands; fractions stand between two messages. */
interface Placed {
  message: LoadMessage;
  place: number;
}

/**
 * The messages as a bad network delivers them. Exactly the share of messages (rounded) is moved by up to `MAX_DISTANCE`
 * places, delivered again, delivered behind a later message of the same meter, or put in to be dead-lettered; late ones may
 * be fewer, where meters have too few messages. The counts say what was done.
 */
export function disturb(
  messages: readonly LoadMessage[],
  shares: DisturbanceShares,
  meters: readonly string[],
  random: () => number,
): { messages: LoadMessage[]; disturbances: Disturbances } {
  const count = (share: number) => Math.round(share * messages.length);
  const places = messages.map((_, index) => index);
  const shuffled = drawDistinct(random, messages.length, count(shares.shuffle));
  for (const index of shuffled) places[index] = index + distance(random) * (random() < 0.5 ? -1 : 1);

  const late = delay(messages, places, count(shares.late), random);
  const placed: Placed[] = messages.map((message, index) => ({ message, place: places[index]! }));
  const duplicates = drawDistinct(random, messages.length, count(shares.duplicates));
  for (const index of duplicates) placed.push({ message: messages[index]!, place: places[index]! + distance(random) });
  const poison = count(shares.poison);
  for (let n = 0; n < poison; n++)
    placed.push({ message: poisonMessage(n, meters, random), place: random() * messages.length });

  placed.sort((a, b) => a.place - b.place);
  return {
    messages: placed.map(({ message }) => message),
    disturbances: { shuffled: shuffled.length, duplicates: duplicates.length, late, poison },
  };
}

/** Between two places, never on one: at least behind the next message. */
function distance(random: () => number): number {
  return 1.25 + random() * (MAX_DISTANCE - 1.5);
}

/** Moves up to `wanted` messages behind the next message of their meter; none that another one waits for. Returns how many. */
function delay(messages: readonly LoadMessage[], places: number[], wanted: number, random: () => number): number {
  if (wanted === 0) return 0;
  const next = new Map<number, number>();
  const lastOf = new Map<number, number>();
  messages.forEach(({ readings }, index) => {
    const before = lastOf.get(readings[0]!.meter);
    if (before !== undefined) next.set(before, index);
    lastOf.set(readings[0]!.meter, index);
  });
  const moved = new Set<number>();
  const awaited = new Set<number>();
  for (const index of drawDistinct(random, messages.length, messages.length)) {
    if (moved.size === wanted) break;
    const later = next.get(index);
    if (later === undefined || moved.has(later) || awaited.has(index)) continue;
    moved.add(index);
    awaited.add(later);
    places[index] = Math.max(places[index]!, places[later]! + 0.25);
  }
  return moved.size;
}

/** Wrong in one of the ways that are met in the field; each different, as equal ones would be filed once. */
function poisonMessage(n: number, meters: readonly string[], random: () => number): LoadMessage {
  const meter = meters[n % meters.length]!;
  const reading = { meter, series: 'poison', timestamp: '2026-01-01T00:00:00Z', value: String(n), seq: n };
  const poison = [
    `{"meter": "cut off ${n}`,
    JSON.stringify({ ...reading, value: 'NaN' }),
    JSON.stringify({ ...reading, timestamp: '2026-01-01T00:00:00' }),
    JSON.stringify({ ...reading, unit: 'a unit of more than twenty characters' }),
    JSON.stringify({ ...reading, value: n }),
  ][n % 5]!;
  return { messageId: seededId(random, Date.UTC(2026, 0, 1)), readings: [], poison };
}
