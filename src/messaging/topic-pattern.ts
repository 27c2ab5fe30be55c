/**
 * Whether a binding pattern of a topic exchange matches a routing key (AMQP 0-9-1, 3.1.3.3): words with dots between;
 * `*` stands for one word, `#` for any number, none included.
 */
export function topicMatches(pattern: string, routingKey: string): boolean {
  const words = routingKey.split('.');
  // Places in the key that the pattern so far can have reached: linear in pattern × key, whatever the pattern.
  let reached = [true, ...words.map(() => false)];
  for (const part of pattern.split('.')) {
    const next = reached.map(() => false);
    for (let at = 0; at <= words.length; at++) {
      if (part === '#') next[at] = reached[at]! || (at > 0 && next[at - 1]!);
      else if (at > 0) next[at] = reached[at - 1]! && (part === '*' || part === words[at - 1]);
    }
    reached = next;
  }
  return reached[words.length]!;
}
