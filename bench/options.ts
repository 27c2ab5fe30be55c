/** The value of `--name`, a whole number from `min` to `max`. Throws what to correct. */
export function wholeOption(options: Map<string, string>, name: string, fallback: number, min: number, max: number) {
  const text = options.get(name) ?? String(fallback);
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new Error(`--${name} ${text} must be a whole number from ${min} to ${max}`);
}

/** The value of `--name`, one of `choices`. Throws what to correct. */
export function choiceOption<Choice extends string>(
  options: Map<string, string>,
  name: string,
  fallback: Choice,
  choices: readonly Choice[],
): Choice {
  const text = options.get(name) ?? fallback;
  const choice = choices.find((one) => one === text);
  if (choice === undefined) throw new Error(`--${name} ${text} must be one of ${choices.join(', ')}`);
  return choice;
}
