/** Parts of the identification message `/XXXZ\W…ident` (clause 6.3.2). */
export interface Identification {
  /** Three letters; the last in lower case announces a reaction time of 20 ms instead of 200 ms. */
  manufacturer: string;
  /** Z: offered rate, and by its range the protocol mode. */
  baudRate: string;
  /** The W of each `\W`: `2` offers binary mode E. */
  capabilities: string[];
  /** Free text of the maker, such as `EK280`. */
  ident: string;
}

/** Takes apart the text of an identification frame. */
export function parseIdentification(text: string): Identification {
  const flags = /^(?:\\.)*/.exec(text.slice(4))?.[0] ?? '';
  return {
    manufacturer: text.slice(0, 3),
    baudRate: text.charAt(3),
    capabilities: [...flags].filter((_, index) => index % 2 === 1),
    ident: text.slice(4 + flags.length).trim(),
  };
}
