import { writeFile } from 'node:fs/promises';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { buildGraphqlSchema } from './schema.js';

/** Writes the contract as clients see it, for review and for the typed documents; CI checks that it is current. */
const HEADER = '# Emitted from schema/*.ts by `npm run emit-schema`; do not edit.\n\n';
const file = new URL('../../schema/schema.graphql', import.meta.url);

await writeFile(file, `${HEADER}${printSchema(lexicographicSortSchema(await buildGraphqlSchema()))}\n`);
