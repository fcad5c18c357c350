import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { noise } from '../../fixtures/noise.ts';
import { createImage } from '../../src/image/create-image.ts';
import { openWritable } from '../../src/image/vhd-parser.ts';
import type { BackupResult } from '../../src/jobs/backup-types.ts';
import { openVault } from '../../src/jobs/session.ts';
import { everyPoint } from '../../src/point/catalog.ts';
import { BIN, runCli } from '../cli/run-cli.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWithTool } from '../support/tool.ts';
import { BLOCK, optionsOf, perform, SECRET } from '../support/vault-action.ts';
import { lookAt, type PointFacts, whatIsLeft } from '../support/vault-scene-checks.ts';
import { copyHome } from '../support/vault-scenes.ts';

const temp = tempFolder({ inMemory: true });
const STRACE = 'strace';
const BLOCKS = 300;
/** Blocks that each child stores. */
const TOP = 40;
/** That are read of what is known. */
const SAMPLE = 64;

/** An image and a child over it, and what they hold. */
interface Disks {
  base: string;
  child: string;
  baseBytes: Uint8Array;
  bytes: Uint8Array;
}

/** Folders of the cache. */
type Moment = 'tables' | 'sources';

const ofHome = (home: string): Record<string, string> => ({
  VHDVAULT_VAULT: join(home, 'vault'),
  VHDVAULT_PASSPHRASE: SECRET,
  VHDVAULT_CACHE: join(home, 'cache'),
  VHDVAULT_STATE: join(home, 'state'),
});

async function backUp(home: string, path: string): Promise<BackupResult> {
  const { exitCode, stdout } = await runCli(['backup', 'box', `disk=${path}`, '--json'], ofHome(home));
  expect(exitCode, stdout).toBe(0);
  return JSON.parse(stdout) as BackupResult;
}

async function write(path: string, bytes: Uint8Array, at: number, seed: number, blocks = TOP): Promise<void> {
  await using image = await openWritable(path);
  await image.write(at * BLOCK, noise(seed, blocks * BLOCK));
  bytes.set(noise(seed, blocks * BLOCK), at * BLOCK);
}

/** Not in the home, since a copy of an image is another one. */
async function newDisks(folder: string): Promise<Disks> {
  await mkdir(folder);
  const [base, child] = [join(folder, 'base.vhd'), join(folder, 'child.vhd')];
  const baseBytes = new Uint8Array(BLOCKS * BLOCK);
  await (await createImage(base, { type: 'dynamic', size: baseBytes.byteLength }))[Symbol.asyncDispose]();
  await write(base, baseBytes, 0, 1, BLOCKS);
  return { base, child, baseBytes, bytes: baseBytes };
}

/** As when a machine goes back to a snapshot: all that the child held is gone. */
async function newChild(disks: Disks, at: number, seed: number): Promise<void> {
  const options = { type: 'differencing', parent: disks.base, force: true } as const;
  await (await createImage(disks.child, options))[Symbol.asyncDispose]();
  disks.bytes = disks.baseBytes.slice();
  await write(disks.child, disks.bytes, at, seed);
}

/** The program, which is killed when it is about to give a file of this folder of the cache its name. */
async function killedAt(home: string, folder: Moment, path: string): Promise<void> {
  const trial = temp.fresh('trial');
  await copyHome(home, trial);
  const log = `${trial}.strace`;
  expect(await traced(trial, path, ['--seccomp-bpf', '-o', log])).toBeUndefined();
  const calls = (await readFile(log, 'utf8')).split('\n').filter((line) => / rename\(/.test(line));
  const nth = 1 + calls.findIndex((line) => new RegExp(`, "[^"]*/${folder}/[0-9a-f]{32}"`).test(line));
  expect(nth, calls.join('\n')).toBeGreaterThan(0);
  expect(await traced(home, path, ['-o', '/dev/null', '-e', `inject=rename:signal=KILL:when=${nth}`])).toBe('SIGKILL');
  const unnamed = (await readdir(join(home, 'cache'), { recursive: true })).filter((name) =>
    /\.[0-9a-f]{8}$/.test(name),
  );
  expect(unnamed).toEqual([expect.stringContaining(`/${folder}/`)]);
}

/** One thread makes all calls of a name, so that they can be counted. The signal that the program died of. */
async function traced(home: string, path: string, options: readonly string[]): Promise<string | undefined> {
  const words = [process.execPath, BIN, 'backup', 'box', `disk=${path}`, '--threads', '1'];
  const { signal } = await execa(STRACE, ['-f', '-qq', '-e', 'trace=rename', ...options, '--', ...words], {
    env: { ...ofHome(home), UV_THREADPOOL_SIZE: '1' },
    reject: false,
    stdin: 'ignore',
  });
  return signal;
}

async function pointsOf(home: string): Promise<PointFacts[]> {
  return Object.values((await lookAt(home, `${home}-judge`)).vault?.points ?? {});
}

function pointOf(bytes: Uint8Array): PointFacts {
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  return { item: 'box', content: `disk ${hash}`, is: 'live' };
}

/** What happens to the disk before the next run; gives the image to back up then. */
const NEXT: Record<string, (disks: Disks) => Promise<string>> = {
  'is as it was': async ({ child }) => child,
  'was written to': async ({ child, bytes }) => {
    await write(child, bytes, 120, 3);
    return child;
  },
  'has a child': async ({ child, bytes }) => {
    const path = `${child}.child.vhd`;
    await (await createImage(path, { type: 'differencing', parent: child }))[Symbol.asyncDispose]();
    await write(path, bytes, 10, 4);
    return path;
  },
  'was made anew over the same parent': async (disks) => {
    await newChild(disks, 200, 5);
    return disks.child;
  },
};

describeWithTool(STRACE, 'a backup that read only what lies above the parent', () => {
  it.each<[string, Moment]>([
    ['its checksum table is kept', 'tables'],
    ['it is noted what it was read from', 'sources'],
  ])(
    'and is killed after the commit, before %s, has made a whole point, and so does the next one',
    async (_, folder) => {
      const home = temp.fresh('home');
      await mkdir(home);
      await perform({ home, command: { do: 'init' } });
      const disks = await newDisks(temp.fresh('images'));
      await backUp(home, disks.base);
      await newChild(disks, 100, 2);
      await killedAt(home, folder, disks.child);
      const before = [pointOf(disks.baseBytes), pointOf(disks.bytes)];
      expect(await pointsOf(home)).toEqual(before);
      expect(await latestRead(home)).toBe(TOP + SAMPLE);

      for (const [what, change] of Object.entries(NEXT)) {
        const place = temp.fresh('next');
        await copyHome(home, place);
        const path = await change(disks);
        const made = await backUp(place, path);
        expect(made.disks[0], what).toMatchObject({ skipped: { blocks: 0 }, blocks: { read: BLOCKS } });
        expect(made.notices, what).toContainEqual(expect.stringMatching(/^the run of .* had saved its point/));
        expect(await pointsOf(place), what).toEqual([...before, pointOf(disks.bytes)]);
        expect(await whatIsLeft(place), what).toEqual({ gc: '', damage: [], names: [] });
      }
    },
  );
});

/** Blocks that the run of the latest point read. */
async function latestRead(home: string): Promise<number | undefined> {
  await using session = await openVault(join(home, 'vault'), optionsOf({ home: `${home}-judge` }));
  return everyPoint(session.vault).at(-1)?.manifest.disks[0]?.blocks.read;
}
