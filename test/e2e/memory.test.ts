import { existsSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BIN } from '../cli/run-cli.ts';
import { measuredRun } from '../support/measured-run.ts';
import { makeSparseVhd } from '../support/sparse-vhd.ts';
import { describeWhere } from '../support/tool.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const MOST = 300 * MIB;
const MOST_PER_THREAD = 48 * MIB;

describeWhere(existsSync('/proc/self/status'), '/proc/PID/status is not there', 'memory', () => {
  const laws = { small: { size: 10 * GIB, data: 128 * MIB }, large: { size: 100 * GIB, data: GIB } };

  it('of a backup and a restore of 10 GiB with 128 MiB of data stays under 300 MiB', () => holds(laws.small));

  // Takes 4 GiB of disk and a minute: `npm run test:long`.
  it.runIf(process.env.VHDVAULT_LONG === '1')(
    'of a backup and a restore of 100 GiB with 1 GiB of data stays under 300 MiB',
    () => holds(laws.large),
    600_000,
  );
});

async function holds(disk: { size: number; data: number }): Promise<void> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'vhdvault-memory-'));
  const image = join(folder.path, 'disk.vhd');
  await makeSparseVhd(image, disk);
  const two = await peaks(folder.path, image, 2);
  const four = await peaks(folder.path, image, 4);
  // Figures to read, even where all is well.
  process.stdout.write(
    `RssAnon, MiB: ${JSON.stringify({ disk: `${disk.size / GIB} GiB`, two: inMib(two), four: inMib(four) })}\n`,
  );
  expect(two.backup).toBeGreaterThan(MIB);
  expect(two.backup).toBeLessThan(MOST);
  expect(two.restore).toBeLessThan(MOST);
  expect((four.backup - two.backup) / 2).toBeLessThan(MOST_PER_THREAD);
  expect((four.restore - two.restore) / 2).toBeLessThan(MOST_PER_THREAD);
}

interface Peaks {
  backup: number;
  restore: number;
}

/** Of whole processes of the program, with a vault of their own. */
async function peaks(folder: string, image: string, threads: number): Promise<Peaks> {
  const home = join(folder, String(threads));
  const env = {
    VHDVAULT_VAULT: join(home, 'vault'),
    VHDVAULT_CACHE: join(home, 'cache'),
    VHDVAULT_STATE: join(home, 'state'),
    VHDVAULT_PASSPHRASE: 'of a test',
  };
  const run = async (...words: string[]): Promise<number> => {
    const { exitCode, stderr, peakAnonymous } = await measuredRun(process.execPath, [BIN, ...words], { env });
    expect(exitCode, stderr).toBe(0);
    return peakAnonymous;
  };
  await run('init');
  const backup = await run('backup', 'box', image, '--threads', String(threads));
  const restore = await run('restore', 'box', '--to', join(home, 'out.vhd'), '--threads', String(threads));
  return { backup, restore };
}

function inMib({ backup, restore }: Peaks): Peaks {
  return { backup: Math.round(backup / MIB), restore: Math.round(restore / MIB) };
}
