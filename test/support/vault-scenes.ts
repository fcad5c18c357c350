import { execFile } from 'node:child_process';
import { mkdir, open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { logText, noise } from '../../fixtures/noise.ts';
import type { ErrorCode } from '../../src/base/errors.ts';
import { type CreateImageOptions, createImage } from '../../src/image/vhd-parser.ts';
import type { BackupResult } from '../../src/jobs/backup-types.ts';
import { recordFileCalls, runWithFault } from './call-faults.ts';
import { BLOCK, perform, type VaultAction, type VaultCommand } from './vault-action.ts';

/** Opens the vaults of scenes, too. */
export const OTHER_SECRET = 'another horse and its battery';
/** Folder of a home in which a run may stage. */
export const STAGED = 'staged';
export const NEW_SECRET = 'a horse that nobody has seen yet';

/** A vault with a history, and points by the names that scenes know them by. */
export interface Base {
  home: string;
  /** References. */
  points: Readonly<Record<'forgotten' | 'old' | 'pinned' | 'latest' | 'web', string>>;
}

/** A command, and what is there before. */
export interface VaultScene {
  title: string;
  /** Fills a home, which is not there yet. */
  build: (base: Base, home: string) => Promise<VaultCommand>;
  /**
   * Of the same command when it was done just before. same: it comes to the same; more: it does it once more; else the error
   * that says so.
   */
  again: 'same' | 'more' | ErrorCode;
}

const DAY = 24 * 3600 * 1000;
const FREE_NOW = { do: 'gc', grace: 0, softDelete: 0 } as const;

export const SCENES: readonly VaultScene[] = [
  { title: 'making a vault', build: async (_, home) => await empty(home), again: 'VAULT_EXISTS' },
  scene('a first backup, of two disks', 'more', async ({ home }) => {
    await writeDisk(home, 'd', [21, 22, 0, 21, 23]);
    await writeDisk(home, 'e', [24, 0, 0, 1, 25]);
    return { do: 'backup', item: 'new', disks: ['d', 'e'] };
  }),
  scene('an incremental backup', 'more', async ({ home }) => {
    await writeDisk(home, 'a', [31, 2, 0, 11, 4, 5, 32, 7, 8, 9]);
    return { do: 'backup', item: 'box', disks: ['a'] };
  }),
  scene('a backup with a hook behind it', 'more', async ({ home }) => {
    await writeDisk(home, 'a', [31, 2, 0, 11, 4, 5, 32, 7, 8, 9]);
    return { do: 'backup', item: 'box', disks: ['a'], post: 'exit 0' };
  }),
  scene('a backup that stages elsewhere', 'more', async ({ home }) => {
    await writeDisk(home, 'a', [31, 2, 0, 11, 4, 5, 32, 7, 8, 9]);
    return { do: 'backup', item: 'box', disks: ['a'], staging: STAGED };
  }),
  scene('a full backup where less would do', 'more', async ({ home }) => {
    await writeDisk(home, 'a', [31, 2, 0, 11, 4, 5, 32, 7, 8, 9]);
    return { do: 'backup', item: 'box', disks: ['a'], type: 'full' };
  }),
  scene('a backup of a child over a known parent', 'more', async ({ home }) => {
    // Elsewhere, since a home is copied for each run, and a copy of an image is another one.
    const images = join(dirname(home), `images-of-${basename(home)}`);
    await mkdir(images);
    const [base, child] = [join(images, 'base.vhd'), join(images, 'child.vhd')];
    await writeImage(base, { type: 'dynamic', size: 90 * BLOCK }, { at: 0, blocks: 90 });
    await perform({ home, command: { do: 'backup', item: 'child', disks: [`d=${base}`] } });
    await writeImage(child, { type: 'differencing', parent: base }, { at: 70, blocks: 2 });
    return { do: 'backup', item: 'child', disks: [`d=${child}`] };
  }),
  scene('a backup of what did not change', 'more', async () => ({ do: 'backup', item: 'box', disks: ['a'] })),
  scene('a backup that goes on with another', 'more', async ({ home }) => {
    await writeDisk(home, 'a', [41, 2, 0, 11, 42, 5, 43, 7, 8, 9]);
    const command = { do: 'backup', item: 'box', disks: ['a'] } as const;
    await interruptBackup({ home, command, seed: 'the interrupted one' });
    return command;
  }),
  scene('restoring to a new file', 'TARGET_EXISTS', async ({ points }) => ({
    ...{ do: 'restore', ref: points.old, to: 'restored.raw' },
  })),
  scene('restoring over a file', 'same', async ({ home, points }) => {
    await writeFile(join(home, 'restored.raw'), noise(99, BLOCK));
    return { do: 'restore', ref: points.old, to: 'restored.raw', force: true };
  }),
  scene('restoring to an image', 'TARGET_EXISTS', async ({ points }) => ({
    ...{ do: 'restore', ref: points.latest, to: 'restored.vhd' },
  })),
  scene('forgetting points', 'same', async ({ points }) => ({ do: 'forget', refs: [points.old, points.web] })),
  scene('forgetting, and freeing them at once', 'NO_SUCH_POINT', async ({ home, points }) => {
    await perform({ home, command: { do: 'unpin', ref: points.pinned } });
    return { do: 'forget', refs: [points.old, points.pinned, points.web], gc: true };
  }),
  scene('forgetting by a rule', 'same', async () => ({ do: 'forget by a rule', item: 'box', last: 1 })),
  scene('bringing a point back', 'same', async ({ points }) => ({ do: 'unforget', refs: [points.forgotten] })),
  scene('pinning a point', 'same', async ({ points }) => ({ do: 'pin', ref: points.old })),
  scene('taking a pin away', 'same', async ({ points }) => ({ do: 'unpin', ref: points.pinned })),
  scene('pinning a point, with a checkpoint', 'same', async ({ home, points }) => {
    await growLog(home, points.pinned, 31);
    return { do: 'pin', ref: points.old };
  }),
  scene('protecting all points', 'same', async () => ({ do: 'protect', minRetention: '3d' })),
  scene('adding a key', 'USAGE', async () => ({ do: 'key add', passphrase: NEW_SECRET, label: 'new' })),
  scene('changing a key', 'VAULT_KEY_WRONG', async () => ({ do: 'key change', passphrase: NEW_SECRET })),
  scene('changing another key', 'same', async () => ({
    ...{ do: 'key change', passphrase: NEW_SECRET, slot: 'other' },
  })),
  scene('removing a key', 'NO_SUCH_SLOT', async () => ({ do: 'key remove', slot: 'other' })),
  scene('repairing a damaged pack', 'same', async ({ home }) => {
    await flip(await newest(join(home, 'vault', 'packs')), 300);
    return { do: 'repair' };
  }),
  scene('repairing a pack that was brought back', 'same', async ({ home }) => {
    const pack = await newest(join(home, 'vault', 'packs'));
    const good = await readFile(pack);
    await flip(pack, 300);
    await perform({ home, command: { do: 'repair' } });
    await writeFile(pack, good);
    return { do: 'repair' };
  }),
  scene('repairing a vault that lacks folders', 'same', async ({ home }) => {
    await removeEmptyFolders(join(home, 'vault'));
    return { do: 'repair' };
  }),
  scene('repairing a damaged index', 'same', async ({ home }) => {
    await flip(await newest(join(home, 'vault', 'index')), 300);
    return { do: 'repair' };
  }),
  scene('repairing a damaged newest entry', 'same', async ({ home, points }) => {
    await perform({ home, command: { do: 'pin', ref: points.old } });
    await flip(await newest(join(home, 'vault', 'log')), 180);
    // A user who saw the entry whole would be told that the vault went back, and who has a copy of it puts it back.
    await removeHome(join(home, 'state'));
    await removeHome(join(home, 'cache'));
    return { do: 'repair' };
  }),
  scene('putting a damaged entry back', 'same', async ({ home, points }) => {
    await perform({ home, command: { do: 'pin', ref: points.old } });
    await flip(await newest(join(home, 'vault', 'log')), 180);
    return { do: 'repair' };
  }),
  scene('a gc that gives up and frees at once', 'same', async ({ home, points }) => {
    await forgetMost({ home, points });
    return FREE_NOW;
  }),
  scene('a gc that only gives up', 'same', async ({ home, points }) => {
    await forgetMost({ home, points });
    return { ...FREE_NOW, grace: DAY };
  }),
  scene('a gc that frees what was given up', 'same', async ({ home, points }) => {
    await forgetMost({ home, points });
    await perform({ home, command: { ...FREE_NOW, grace: DAY } });
    return FREE_NOW;
  }),
  scene('a gc that merges many segments', 'same', async ({ home }) => {
    for (let n = 0; n < 8; n++) {
      await writeDisk(home, 'a', [1, 2, 0, 11, 4, 5, 60 + n, 7, 8, 9]);
      await perform({ home, command: { do: 'backup', item: 'box', disks: ['a'] } });
    }
    return FREE_NOW;
  }),
  scene('a gc that gives up a dead backup', 'same', async ({ home }) => {
    await writeDisk(home, 'a', [41, 2, 0, 11, 42, 5, 43, 7, 8, 9]);
    await interruptBackup({ home, command: { do: 'backup', item: 'box', disks: ['a'] }, seed: 'the interrupted one' });
    return FREE_NOW;
  }),
];

/** What is left of the packs of these points is less than half. */
async function forgetMost({ home, points }: Base): Promise<void> {
  await perform({ home, command: { do: 'unpin', ref: points.pinned } });
  await perform({ home, command: { do: 'forget', refs: [points.old, points.pinned, points.web] } });
}

function scene(title: string, again: VaultScene['again'], change: (base: Base) => Promise<VaultCommand>): VaultScene {
  return {
    title,
    again,
    build: async (base, home) => {
      await copyHome(base.home, home);
      return await change({ ...base, home });
    },
  };
}

async function empty(home: string): Promise<VaultCommand> {
  await mkdir(home);
  return { do: 'init' };
}

/** Item `box` of disk `a`: a forgotten point, an old one, a pinned one and the latest; item `web` of disks `b` and `c`: one. */
export async function buildBase(home: string): Promise<Base> {
  await mkdir(home);
  await perform({ home, command: { do: 'init' } });
  const add = async (item: string, disks: Record<string, readonly number[]>): Promise<string> => {
    for (const [name, seeds] of Object.entries(disks)) await writeDisk(home, name, seeds);
    const made = await perform({ home, command: { do: 'backup', item, disks: Object.keys(disks) } });
    return `${item}@${(made as BackupResult).point}`;
  };
  const points = {
    forgotten: await add('box', { a: [1, 2, 0, 3, 4, 5, 6, 7, 8, 9] }),
    old: await add('box', { a: [1, 2, 0, 10, 4, 5, 6, 7, 8, 9] }),
    pinned: await add('box', { a: [1, 2, 0, 11, 4, 5, 12, 7, 8, 9] }),
    web: await add('web', { b: [1, 51, 52, 0], c: [53, 0, 2] }),
    latest: await add('box', { a: [1, 2, 0, 11, 4, 5, 13, 7, 8, 9] }),
  };
  await add('web', { b: [1, 51, 54, 0], c: [53, 0, 2] });
  await perform({ home, command: { do: 'forget', refs: [points.forgotten] } });
  await perform({ home, command: { do: 'pin', ref: points.pinned } });
  await perform({ home, command: { do: 'key add', passphrase: OTHER_SECRET, label: 'other' } });
  return { home, points };
}

/** Each number is a block: 0 is zeros, an even one compresses. */
export async function writeDisk(home: string, name: string, seeds: readonly number[]): Promise<void> {
  const blocks = seeds.map((seed) => {
    if (seed === 0) return new Uint8Array(BLOCK);
    return seed % 2 === 0 ? Buffer.from(logText(seed, BLOCK)).subarray(0, BLOCK) : noise(seed, BLOCK);
  });
  // No multiple of the block.
  await writeFile(join(home, `${name}.raw`), Buffer.concat([...blocks, noise(1000, 512)]));
}

async function writeImage(
  path: string,
  options: CreateImageOptions,
  { at, blocks }: { at: number; blocks: number },
): Promise<void> {
  await using image = await createImage(path, options);
  await image.write(at * BLOCK, noise(at + 200, blocks * BLOCK));
}

/** Kills a backup when its packs and its segment are there, and the point is not. */
async function interruptBackup(action: VaultAction): Promise<void> {
  const trial = `${action.home}-trial`;
  await copyHome(action.home, trial);
  const calls = await recordFileCalls({ ...action, home: trial }, trial);
  const last = calls.filter(({ name, path }) => name === 'link' && path.includes('/vault/log/')).at(-1)!;
  const call = { ...last, path: last.path.replace(trial, action.home) };
  const { isHit } = await runWithFault(action, call, 'KILL', action.home);
  if (!isHit) throw new Error('the backup was not interrupted');
}

const run = promisify(execFile);

/** Quicker than Node's own: a vault has hundreds of folders. */
export async function copyHome(from: string, to: string): Promise<void> {
  await run('cp', ['-a', from, to]);
}

export async function removeHome(home: string): Promise<void> {
  await run('rm', ['-rf', home]);
}

async function growLog(home: string, pinned: string, entries: number): Promise<void> {
  while ((await readdir(join(home, 'vault', 'log'))).length < entries) {
    const isPinned = (await readdir(join(home, 'vault', 'log'))).length % 2 === 0;
    await perform({ home, command: { do: isPinned ? 'unpin' : 'pin', ref: pinned } });
  }
}

/** As a tool does that copies files only; of the 256 folders of packs those that are enough. */
async function removeEmptyFolders(folder: string): Promise<void> {
  await run('find', [folder, '-mindepth', '1', '-maxdepth', '1', '-type', 'd', '-empty', '-delete']);
  await run('find', [join(folder, 'packs'), '-name', '0[0-3]', '-empty', '-delete']);
}

/** The file that was written last. */
async function newest(folder: string): Promise<string> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  const times = await Promise.all(
    files.map(async (path) => ({ path, at: (await stat(path, { bigint: true })).mtimeNs })),
  );
  return times.toSorted((a, b) => Number(b.at - a.at))[0]!.path;
}

async function flip(path: string, offset: number): Promise<void> {
  await using file = await open(path, 'r+');
  const byte = new Uint8Array(1);
  await file.read(byte, 0, 1, offset);
  await file.write(Uint8Array.of(byte[0]! ^ 1), 0, 1, offset);
}
