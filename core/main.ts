#!/usr/bin/env node
// The command line. No logic: see control/run.ts.

// What file and name look-ups wait for runs here. Where Node starts the pool before the first line of a program (20), it keeps its four.
process.env.UV_THREADPOOL_SIZE ??= '8';

const { run } = await import('./control/run.js');
process.exit(await run(process.argv.slice(2)));
