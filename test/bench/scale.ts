import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measuredRun } from '../support/measured-run.ts';
import { makeLargeVault } from './large-vault.ts';

/*
 * How a vault of 10,000 points and 20 million blocks behaves: `npm run bench:scale [-- POINTS BLOCKS]`. Prints what it took;
 * asserts nothing.
 */
const [points = 10_000, blocks = 20_000_000] = process.argv.slice(2).map(Number);
const PROGRAM = fileURLToPath(new URL('../../src/cli/bin.ts', import.meta.url));
const home = await mkdtemp(join(tmpdir(), 'vhdvault-scale-'));
const path = join(home, 'vault');
const keyFile = join(home, 'key');
try {
  await writeFile(keyFile, Buffer.alloc(32, 7));
  await mkdir(path);
  const begun = performance.now();
  await makeLargeVault({ path, points, blocks, secret: { keyFile: Buffer.alloc(32, 7) } });
  print(`made ${points} points, ${blocks} blocks in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  const disk = join(home, 'small.raw');
  await writeFile(disk, Buffer.alloc(1 << 20, 5));
  await run('points of one item', ['points', 'item3']);
  await run('points, all', ['points', '--json']);
  await run('first commit (makes the local index)', ['backup', 'new', disk]);
  await run('commit', ['backup', 'new', disk]);
  await run('gc --dry-run (mark)', ['gc', '--dry-run']);
  await run('points, all', ['points', '--json']);
} finally {
  await rm(home, { recursive: true, force: true });
}

async function run(what: string, words: readonly string[]): Promise<void> {
  const env = {
    ...{ VHDVAULT_VAULT: path, VHDVAULT_KEY_FILE: keyFile },
    ...{ VHDVAULT_CACHE: join(home, 'cache'), VHDVAULT_STATE: join(home, 'state') },
  };
  const { seconds, peakAnonymous, exitCode, stdout, stderr } = await measuredRun(
    process.execPath,
    [PROGRAM, ...words],
    {
      env,
    },
  );
  print(`${what.padEnd(40)} ${seconds.toFixed(2)} s  ${Math.round(peakAnonymous / 2 ** 20)} MiB  exit ${exitCode}`);
  if (exitCode !== 0) print(stderr || stdout);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
