import { cp, mkdir, open, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { noise } from '../../fixtures/noise.ts';
import { stampOf } from '../../src/image/merge-journal.ts';
import {
  type CreateImageOptions,
  checkImage,
  convertImage,
  createImage,
  findChildren,
  isError,
  mergeImage,
  openDisk,
  openWritable,
} from '../../src/image/vhd-parser.ts';
import { partPath } from '../../src/io/atomic-file.ts';
import { bytesOf, type ImageAction } from '../support/image-action.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWithTool } from '../support/tool.ts';
import { bundle, recordCalls, runUntil } from '../support/traced-run.ts';

const temp = tempFolder({ inMemory: true });
const KIB = 1024;
const SIZE = 64 * KIB;
/** In names of files that Windows could not have. */
const BACKSLASH = '\\';

async function folderWith(name: string): Promise<(file: string) => string> {
  const folder = temp.fresh(name);
  await mkdir(folder);
  return (file) => join(folder, file);
}

async function make(path: string, options: CreateImageOptions, at: number, seed: number): Promise<void> {
  await using disk = await createImage(path, { ...(options.type !== 'fixed' && { blockSize: 8 * KIB }), ...options });
  await disk.write(at, noise(seed, 4 * KIB));
}

async function child(path: string, parent: string, seed: number): Promise<void> {
  await make(path, { type: 'differencing', parent }, seed * 8 * KIB, seed);
}

async function contentOf(path: string): Promise<Buffer> {
  await using disk = await openDisk(path);
  const bytes = Buffer.alloc(disk.size);
  await disk.read(0, bytes);
  return bytes;
}

async function expectContent(path: string, expected: Uint8Array): Promise<void> {
  expect(Buffer.compare(await contentOf(path), expected), basename(path)).toBe(0);
}

/** As a merge of `child` into `parent` leaves it that was killed before its last steps. */
async function writeJournal(image: string, parent: string): Promise<void> {
  const journal = { schema: 1, parent: basename(parent), format: 'vhd', stamp: await stampOf(image) };
  await writeFile(`${image}.merging`, JSON.stringify({ ...journal, parentStamp: await stampOf(parent) }));
}

async function refused(run: Promise<unknown>): Promise<string> {
  return await run.then(
    () => 'nothing',
    (error: unknown) => (isError(error) ? error.code : String(error)),
  );
}

describe('a merge after one that was interrupted', () => {
  /** base <- middle <- left, right; all of the middle is in the base, and the left one has it as its parent already. */
  async function interrupted(): Promise<(file: string) => string> {
    const at = await folderWith('interrupted');
    await make(at('base.vhd'), { type: 'dynamic', size: SIZE }, 0, 1);
    await child(at('middle.vhd'), at('base.vhd'), 2);
    await child(at('left.vhd'), at('middle.vhd'), 3);
    await child(at('right.vhd'), at('middle.vhd'), 4);
    const [kept, away] = [temp.fresh('kept'), temp.fresh('away')];
    await cp(at('middle.vhd'), kept);
    await rename(at('right.vhd'), away);
    await mergeImage(at('middle.vhd'));
    await rename(kept, at('middle.vhd'));
    await rename(away, at('right.vhd'));
    await writeJournal(at('middle.vhd'), at('base.vhd'));
    return at;
  }

  it('never writes one of its children into the new parent of the others', async () => {
    const at = await interrupted();
    const [left, right] = [await contentOf(at('left.vhd')), await contentOf(at('right.vhd'))];
    expect(await refused(mergeImage(at('left.vhd')))).toBe('VHD_HAS_CHILDREN');
    await expectContent(at('left.vhd'), left);
    await expectContent(at('right.vhd'), right);
  });

  it('goes on in a folder that was moved', async () => {
    const at = await interrupted();
    const right = await contentOf(at('right.vhd'));
    const moved = temp.fresh('moved');
    await rename(at('.'), moved);
    const { adopted, bytes } = await mergeImage(join(moved, 'middle.vhd'));
    expect([adopted, bytes]).toEqual([[join(moved, 'right.vhd')], 0]);
    await expectContent(join(moved, 'right.vhd'), right);
  });

  it('copies again when the parent was put back from a backup', async () => {
    const at = await folderWith('restored');
    await make(at('base.vhd'), { type: 'dynamic', size: SIZE }, 0, 1);
    await cp(at('base.vhd'), at('backup'));
    await child(at('middle.vhd'), at('base.vhd'), 2);
    const content = await contentOf(at('middle.vhd'));
    await writeJournal(at('middle.vhd'), at('base.vhd'));
    await rename(at('backup'), at('base.vhd'));
    await mergeImage(at('middle.vhd'));
    await expectContent(at('base.vhd'), content);
  });

  it('whose child went says that it is merged, and does not when the parent was put back since', async () => {
    const at = await folderWith('gone');
    await make(at('base.vhd'), { type: 'dynamic', size: SIZE }, 0, 1);
    await cp(at('base.vhd'), at('backup'));
    await child(at('middle.vhd'), at('base.vhd'), 2);
    const kept = temp.fresh('kept');
    await cp(at('middle.vhd'), kept);
    await mergeImage(at('middle.vhd'));
    // Killed between the end of the child and that of the journal.
    await rename(kept, at('middle.vhd'));
    await writeJournal(at('middle.vhd'), at('base.vhd'));
    await rm(at('middle.vhd'));
    const [journal, merged] = [await readFile(at('middle.vhd.merging')), at('base.vhd')];
    expect(await mergeImage(at('middle.vhd'))).toMatchObject({ path: merged, merged: [at('middle.vhd')], bytes: 0 });
    await writeFile(at('middle.vhd.merging'), journal);
    await rename(at('backup'), merged);
    expect(await refused(mergeImage(at('middle.vhd')))).toBe('SOURCE_CHANGED');
  });
});

describe('a merge refuses, before it changes anything, what a child of the child could not follow', () => {
  async function expectRefused(at: (file: string) => string, heir: string): Promise<void> {
    const before = [await readFile(at('middle.vhd')), await contentOf(at(heir))];
    expect(await refused(mergeImage(at('middle.vhd')))).toBe('VHD_HAS_CHILDREN');
    expect(Buffer.compare(await readFile(at('middle.vhd')), before[0]!)).toBe(0);
    await expectContent(at(heir), before[1]!);
  }

  it('one that reads the file of the child as a raw disk', async () => {
    const at = await folderWith('as-raw');
    await make(at('base.vhd'), { type: 'dynamic', size: SIZE }, 0, 1);
    await child(at('middle.vhd'), at('base.vhd'), 2);
    await make(at('top.vhd'), { type: 'differencing', parent: at('middle.vhd'), parentFormat: 'raw' }, 0, 3);
    await expectRefused(at, 'top.vhd');
  });

  it('a raw parent, where it is not named .vhd itself', async () => {
    const at = await folderWith('unnamed');
    await writeFile(at('base.raw'), noise(1, SIZE));
    await child(at('middle.vhd'), at('base.raw'), 2);
    await child(at('top.img'), at('middle.vhd'), 3);
    await expectRefused(at, 'top.img');
  });

  it('a parent whose name has a backslash, which the child finds through a link', async () => {
    const at = await folderWith('backslash');
    await make(at('base.vhd'), { type: 'dynamic', size: SIZE }, 0, 1);
    await child(at('middle.vhd'), at('base.vhd'), 2);
    await child(at('top.vhd'), at('middle.vhd'), 3);
    await rename(at('base.vhd'), at(`b${BACKSLASH}ase.vhd`));
    await symlink(`b${BACKSLASH}ase.vhd`, at('base.vhd'));
    await expectRefused(at, 'top.vhd');
  });
});

describe('creating an image', () => {
  it('refuses a parent without a unique id, which would be read as a raw disk', async () => {
    const at = await folderWith('null');
    await make(at('base.vhd'), { type: 'dynamic', size: SIZE, uniqueId: new Uint8Array(16) }, 0, 1);
    expect(await refused(child(at('top.vhd'), at('base.vhd'), 2))).toBe('USAGE');
  });

  it('leaves nothing, when it is killed, that counts as a child', async () => {
    const at = await folderWith('part');
    await make(at('base.vhd'), { type: 'dynamic', size: SIZE }, 0, 1);
    await child(at('top.vhd'), at('base.vhd'), 2);
    await rename(at('top.vhd'), partPath(at('top.vhd')));
    await using disk = await openDisk(at('base.vhd'));
    const uniqueId = Buffer.from(disk.facts.uniqueId!.replaceAll('-', ''), 'hex');
    expect(await findChildren({ path: at('base.vhd'), uniqueId }, [])).toEqual([]);
  });

  it('has a part of its own, however alike long names begin', () => {
    const long = 'x'.repeat(220);
    expect(partPath(`/a/${long}1.vhd`)).not.toBe(partPath(`/a/${long}2.vhd`));
  });

  it('does not replace an image that is being written to', async () => {
    const at = await folderWith('open');
    for (const name of ['one.vhd', 'two.vhd']) await make(at(name), { type: 'dynamic', size: SIZE }, 0, 1);
    await using _disk = await openWritable(at('one.vhd'));
    const run = make(at('one.vhd'), { type: 'dynamic', size: SIZE, force: true }, 0, 2);
    expect(await refused(run)).toBe('IMAGE_LOCKED');
    const converted = convertImage(at('two.vhd'), at('one.vhd'), { format: 'fixed', force: true });
    expect(await refused(converted)).toBe('IMAGE_LOCKED');
  });

  it('is not begun where no image can be put, and what a killed run left goes', async () => {
    const at = await folderWith('targets');
    await make(at('one.vhd'), { type: 'dynamic', size: SIZE }, 0, 1);
    await mkdir(at('folder.vhd'));
    let copied = 0;
    const run = convertImage(at('one.vhd'), at('folder.vhd'), {
      format: 'raw',
      force: true,
      onProgress: () => copied++,
    });
    expect(await refused(run)).toBe('TARGET_UNUSABLE');
    expect(copied).toBe(0);
    await writeFile(partPath(at('two.vhd')), 'left');
    await convertImage(at('one.vhd'), at('two.vhd'), { format: 'fixed' });
    expect((await readdir(at('.'))).toSorted()).toEqual(['folder.vhd', 'one.vhd', 'two.vhd']);
  });
});

describeWithTool('strace', 'an image', () => {
  beforeAll(() => bundle(temp.fresh('bundle')));

  /** Lets every call of some names fail, or kills the program at it: the image is the old or the new one. */
  async function expectOldOrNew(
    folder: string,
    action: ImageAction & { path: string },
    size: number,
    faults: { fault: 'KILL' | 'ENOSPC'; names: readonly string[] },
  ): Promise<void> {
    const old = await contentOf(action.path);
    const grown = Buffer.alloc(size);
    old.copy(grown, 0, 0, size);
    const whole = temp.fresh('whole');
    await cp(folder, whole, { recursive: true });
    const moved = (to: string): ImageAction & { path: string } => ({
      ...action,
      path: action.path.replace(folder, to),
    });
    const calls = (await recordCalls(moved(whole), whole)).filter(({ name }) => faults.names.includes(name));
    expect(calls.length).toBeGreaterThan(2);
    for (const call of calls) {
      const place = temp.fresh('place');
      await cp(folder, place, { recursive: true });
      const { path } = moved(place);
      await runUntil(moved(place), call, faults.fault);
      const found = await contentOf(path);
      const is = Buffer.compare(found, old) === 0 || Buffer.compare(found, grown) === 0;
      expect(is, `${faults.fault} at ${call.text}: old or new`).toBe(true);
      const damage = (await checkImage(path)).filter(({ severity }) => severity === 'damage');
      expect(damage, call.text).toEqual([]);
    }
  }

  it('survives a growth that fails for want of room, whatever call meets it', async () => {
    const at = await folderWith('full');
    await make(at('disk.vhd'), { type: 'dynamic', size: 20 * KIB + 512, blockSize: 4 * KIB }, 16 * KIB, 1);
    const action = { do: 'resize', path: at('disk.vhd'), size: 40 * KIB } as const;
    await expectOldOrNew(at('.'), action, 40 * KIB, { fault: 'ENOSPC', names: ['pwrite64'] });
  });

  it('survives a growth over what its parent has there, that fails for want of room', async () => {
    const at = await folderWith('full-child');
    await make(at('base.vhd'), { type: 'dynamic', size: SIZE }, 16 * KIB, 1);
    const options = { type: 'differencing', parent: at('base.vhd'), size: 16 * KIB + 512, blockSize: 4 * KIB } as const;
    await make(at('disk.vhd'), options, 12 * KIB, 2);
    const action = { do: 'resize', path: at('disk.vhd'), size: 24 * KIB } as const;
    await expectOldOrNew(at('.'), action, 24 * KIB, { fault: 'ENOSPC', names: ['pwrite64'] });
  });

  /** Puts bytes before the footer that are no whole sector. */
  async function shifted(path: string): Promise<void> {
    const { size } = await stat(path);
    await using file = await open(path, 'r+');
    const footer = Buffer.alloc(512);
    await file.read(footer, 0, 512, size - 512);
    await file.write(noise(9, 100), 0, 100, size - 512);
    await file.write(footer, 0, 512, size - 412);
  }

  it('opens whenever it is killed, if its footer does not begin on a sector', async () => {
    const at = await folderWith('shifted');
    await make(at('dynamic.vhd'), { type: 'dynamic', size: SIZE }, 0, 1);
    await make(at('fixed.vhd'), { type: 'fixed', size: SIZE }, 0, 1);
    const kills = { fault: 'KILL', names: ['pwrite64', 'ftruncate'] } as const;
    for (const [name, size] of [
      ['dynamic.vhd', 2 * SIZE],
      ['fixed.vhd', SIZE],
    ] as const) {
      await shifted(at(name));
      await expectOldOrNew(at('.'), { do: 'resize', path: at(name), size }, size, kills);
    }
  });

  it('is not told to have what a failed sync may have lost', async () => {
    const at = await folderWith('lost');
    await make(at('disk.vhd'), { type: 'dynamic', size: SIZE }, 0, 1);
    const old = await contentOf(at('disk.vhd'));
    const write = { offset: 40 * KIB, length: KIB, seed: 5, sync: true };
    const action = { do: 'extend', path: at('disk.vhd'), writes: [write] } as const;
    const { stderr } = await runUntil(action, { name: 'fdatasync', nth: 1, text: '' }, 'ENOSPC');
    expect(stderr).toMatch(/^NO_SPACE\n/);
    await expectContent(at('disk.vhd'), old);
    expect(bytesOf(write).some((byte) => byte !== 0)).toBe(true);
  });
});
