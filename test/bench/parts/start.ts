import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noise } from '../../../fixtures/noise.ts';
import { backup, createVault, openVault } from '../../../src/index.ts';
import { type Bench, inRounds, type PartResult } from '../bench-run.ts';
import { OURS } from '../contenders.ts';
import { medianOf, record } from '../figures.ts';
import { markdownTable, mebibytes } from '../markdown.ts';
import { type Call, perform } from '../measure.ts';

const POINTS = 100;
const DISK = 'a hundred points';
const MIB = 1024 * 1024;

/** Part `start`: how long whole processes take that have next to nothing to do. */
export async function startPart(bench: Bench): Promise<PartResult> {
  const home = join(bench.folder, 'start');
  const keyFile = join(home, 'key');
  await mkdir(home);
  await writeFile(keyFile, noise(9, 32));
  const env = {
    VHDVAULT_VAULT: join(home, 'vault'),
    VHDVAULT_CACHE: join(home, 'cache'),
    VHDVAULT_STATE: join(home, 'state'),
  };
  const call = (...words: string[]): Call[] => [{ program: process.execPath, words: [bench.bin, ...words] }];
  await makePoints(home, keyFile);
  const passphrase = join(home, 'passphrase');
  await writeFile(passphrase, 'of a bench');
  await perform(call('key', 'add', '--new-passphrase-file', passphrase), { ...env, VHDVAULT_KEY_FILE: keyFile });
  const runs = {
    'points, with a key file': { calls: call('points'), env: { ...env, VHDVAULT_KEY_FILE: keyFile } },
    'points, with a passphrase': { calls: call('points'), env: { ...env, VHDVAULT_PASSPHRASE: 'of a bench' } },
    '--version': { calls: call('--version'), env },
    'Node itself (node -e 0)': { calls: [{ program: process.execPath, words: ['-e', '0'] }], env },
  };
  await inRounds(bench, async ({ isMeasured }) => {
    for (const [what, { calls, env }] of Object.entries(runs)) {
      const figure = await perform(calls, env);
      if (isMeasured) record(bench.figures, { disk: DISK, who: OURS, what }, figure);
    }
  });
  await rm(home, { recursive: true });
  const of = (what: string, field: 'seconds' | 'peak' = 'seconds'): number | undefined =>
    medianOf(bench.figures, { disk: DISK, who: OURS, what }, field);
  const rows = Object.keys(runs).map((what) => [what, of(what)?.toFixed(3) ?? '', mebibytes(of(what, 'peak'))]);
  return {
    lines: ['', `## Start: a vault of ${POINTS} points`, '', ...markdownTable(['', 'seconds', 'memory'], rows, 'lrr')],
    goals: [
      {
        ...{ work: `points, ${POINTS} points`, measure: 'whole process, key file' },
        ...{ value: of('points, with a key file'), limit: 0.2, is: 'at most', unit: ' s' },
      },
    ],
  };
}

async function makePoints(home: string, keyFile: string): Promise<void> {
  const options = { keyFile, cache: join(home, 'cache'), state: join(home, 'state') };
  await createVault(join(home, 'vault'), options);
  const disk = join(home, 'disk.raw');
  await using session = await openVault(join(home, 'vault'), options);
  for (let n = 0; n < POINTS; n++) {
    await writeFile(disk, noise(n, MIB));
    await backup(session, `item${n % 10}`, [disk]);
  }
}
