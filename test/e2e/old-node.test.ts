import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, it } from 'vitest';
import { packedProject } from '../support/packed.ts';

const old = findOldNode();

/** A machine whose every Node is new has nothing to show: skipped there, in CI too. */
it.skipIf(old === undefined)('tells the user of an old Node, in one line, what to do', async () => {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'vhdvault-old-node-'));
  const { bin } = await packedProject(folder.path);
  const { status, stdout, stderr } = spawnSync(old as string, [bin, 'points'], { encoding: 'utf8' });
  expect(status).toBe(1);
  expect(stdout).toBe('');
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toMatch(/^vhdvault: needs Node\.js 24\.7 or newer, but this is \d+\.\d+\.\d+: .*nodejs\.org/);
});

function findOldNode(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin'];
  return folders.map((folder) => join(folder, 'node')).find((path) => existsSync(path) && majorOf(path) < 24);
}

function majorOf(path: string): number {
  try {
    return Number(/^v(\d+)/.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))?.[1] ?? Infinity);
  } catch {
    return Infinity;
  }
}
