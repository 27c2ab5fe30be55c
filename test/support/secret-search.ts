/** The forms in which a text may stand somewhere: as it is, as hexadecimal digits, and in base64 wherever it begins. */
export function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const base64 = [0, 1, 2].map((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    // The characters at both ends depend on what stands beside.
    return encoded.slice(Math.ceil((shift * 8) / 6), -1);
  });
  return [secret, bytes.toString('hex'), ...base64];
}

/** Where a secret stands, with some characters of what is before it; the secret itself is not shown. */
export function findSecrets(
  places: Readonly<Record<string, readonly string[]>>,
  secrets: Readonly<Record<string, string>>,
): string[] {
  const found: string[] = [];
  for (const [name, secret] of Object.entries(secrets)) {
    for (const form of formsOf(secret)) {
      for (const [place, texts] of Object.entries(places)) {
        for (const text of texts) {
          const at = text.toLowerCase().indexOf(form.toLowerCase());
          if (at !== -1)
            found.push(`${name} in ${place}, after ${JSON.stringify(text.slice(Math.max(0, at - 60), at))}`);
        }
      }
    }
  }
  return found;
}
