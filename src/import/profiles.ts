import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { messageOf, StartupError } from '../errors.js';
import { ImportProfile } from './profile.js';

/** The built-in profiles. They are data beside the sources, which the build leaves where they are. */
function folder(): URL {
  const beside = new URL('./profiles/', import.meta.url);
  return existsSync(beside) ? beside : new URL('../../../src/import/profiles/', import.meta.url);
}

/** Names of the built-in profiles, in alphabetical order. */
export function builtInProfiles(): string[] {
  return readdirSync(folder())
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}

/** The built-in profile of this name, or the one in the file. Throws `StartupError` saying what is wrong, where, and the cure. */
export function loadProfile(nameOrFile: string): ImportProfile {
  const builtIn = builtInProfiles();
  const isFile = /[/\\]|\.json$/i.test(nameOrFile);
  if (!isFile && !builtIn.includes(nameOrFile)) {
    throw new StartupError(
      `There is no import profile ${JSON.stringify(nameOrFile)}. Built in are ${builtIn.join(', ')}; a profile of your own is a file ending in .json.`,
    );
  }
  let text: string;
  try {
    text = readFileSync(isFile ? nameOrFile : new URL(`${nameOrFile}.json`, folder()), 'utf8');
  } catch (error) {
    throw new StartupError(`--profile ${nameOrFile} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  return parseProfile(text, nameOrFile);
}

export function parseProfile(text: string, name: string): ImportProfile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new StartupError(`--profile ${name} is not JSON: ${messageOf(error)}`, { cause: error });
  }
  const parsed = ImportProfile.safeParse(json);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues
    .slice(0, 10)
    .map(({ path, message }) => `  - ${path.join('.') || 'the profile'}: ${message}`);
  throw new StartupError(`--profile ${name} is wrong (docs/import.md describes profiles):\n${problems.join('\n')}`);
}

/** JSON Schema of a profile, for editors. */
export function profileSchema(): unknown {
  return z.toJSONSchema(ImportProfile, { io: 'input' });
}
