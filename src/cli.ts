#!/usr/bin/env node
import { processIo } from './cli/io.js';
import { run } from './cli/program.js';

// Set, not exit: a long-running command goes on after it has started, and pending output is written first.
process.exitCode = await run(process.argv.slice(2), processIo());
