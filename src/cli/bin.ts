#!/usr/bin/env node
// Plain words only, and no import above the test: an old Node must be able to parse this file to be told that it is old.
const version = process.versions.node.split('.').map(Number) as [number, number];
if (version[0] > 24 || (version[0] === 24 && version[1] >= 7)) {
  import('./start.ts').then((module) => module.start());
} else {
  process.stderr.write(
    `vhdvault: needs Node.js 24.7 or newer, but this is ${process.versions.node}: install it from https://nodejs.org or run \`npx node@24 ${process.argv[1]}\`\n`,
  );
  process.exitCode = 1;
}
