import { open, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { noise } from '../../fixtures/noise.ts';
import { type CreateImageOptions, createImage, openDisk } from '../../src/image/vhd-parser.ts';
import type { ActionWrite, ImageAction } from './image-action.ts';
import { bytesOf } from './image-action.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const SECTOR = 512;

/** An image of a scene: what it reads as before and after the action; null: there is none. */
export interface Watched {
  path: string;
  old: Uint8Array | null;
  new: Uint8Array | null;
  /** In between each sector may be as before or as after; else all of them are alike. */
  mixed?: boolean;
  /** What it reads as on the way. */
  between?: Uint8Array;
  /** Before the action it need not open. */
  broken?: boolean;
}

export interface BuiltScene {
  action: ImageAction;
  watched: Watched[];
}

/** Images, and what is done to them. */
export interface Scene {
  title: string;
  /** Few calls, and a way of its own. */
  isShort?: boolean;
  build: (folder: string) => Promise<BuiltScene>;
}

const PARENT = [put(0, 3 * KIB, 1), put(40 * KIB, 30 * KIB, 2), put(120 * KIB, 8 * KIB, 3)];
const CHILD = [put(SECTOR, KIB, 4), put(50 * KIB, 5 * KIB, 5), put(100 * KIB, 22 * KIB, 6)];
const GRANDCHILD = [put(0, SECTOR, 7), put(52 * KIB, KIB, 8), put(90 * KIB, 6 * KIB, 9)];
const SIZE = 130 * KIB;

export const SCENES: readonly Scene[] = [
  created('a fixed image', { type: 'fixed', size: SIZE }),
  short(created('a dynamic image', { type: 'dynamic', size: SIZE })),
  short(created('a child', { type: 'differencing', parent: 'base.vhd', blockSize: 8 * KIB })),
  created('a dynamic image in place of another', { type: 'dynamic', size: MIB, force: true }),
  extended('a fixed image', { type: 'fixed', size: SIZE }),
  extended('a dynamic image', { type: 'dynamic', size: SIZE, blockSize: 8 * KIB }),
  extended('a dynamic image of large blocks', { type: 'dynamic', size: SIZE, blockSize: 2 * MIB }),
  short(extended('a child', { type: 'differencing', parent: 'base.vhd', blockSize: 16 * KIB })),
  short(merged('one link into a dynamic image', { base: { type: 'dynamic', size: SIZE, blockSize: 8 * KIB } })),
  merged('one link into a fixed image', { base: { type: 'fixed', size: SIZE } }),
  short(merged('one link into a raw file', { base: null })),
  merged('one link into a smaller image', {
    base: { type: 'dynamic', size: 60 * KIB, blockSize: 16 * KIB },
    child: 900 * KIB,
  }),
  merged('one link into a larger image', { base: { type: 'dynamic', size: SIZE }, child: 70 * KIB }),
  merged('one link into a smaller raw file', { base: null, child: 200 * KIB }),
  merged('two links into the base', { base: { type: 'dynamic', size: SIZE, blockSize: 8 * KIB }, grandchild: 'base' }),
  merged('a link whose children are adopted', { base: { type: 'dynamic', size: SIZE }, grandchild: 'adopted' }),
  short(merged('a link over a raw file, whose child is adopted', { base: null, grandchild: 'adopted', one: true })),
  short(resized('a fixed image to more', { type: 'fixed', size: SIZE }, 200 * KIB)),
  resized('a fixed image to less', { type: 'fixed', size: SIZE + MIB }, SIZE),
  resized(
    'a dynamic image to more, its table in place',
    { type: 'dynamic', size: SIZE, blockSize: 8 * KIB },
    200 * KIB,
  ),
  short(
    resized('a dynamic image to more, its table moved', { type: 'dynamic', size: SIZE, blockSize: 4 * KIB }, 2 * MIB),
  ),
  short(resized('a dynamic image to less', { type: 'dynamic', size: 2 * MIB, blockSize: 4 * KIB }, SIZE)),
  resized(
    'a child to more, its table moved',
    { type: 'differencing', parent: 'base.vhd', blockSize: 4 * KIB },
    2 * MIB,
  ),
  short(
    resized(
      'a child to more, over what its parent has there',
      { type: 'differencing', parent: 'base.vhd', size: 60 * KIB, blockSize: 16 * KIB },
      SIZE,
    ),
  ),
  resized('a child to less', { type: 'differencing', parent: 'base.vhd', size: MIB, blockSize: 4 * KIB }, SIZE),
  resized('a raw file to more', null, 200 * KIB),
  short(repaired('a lost footer', async (path, size) => await truncate(path, size - SECTOR))),
  repaired('a footer in the middle of garbage', async (path, size) => await overwrite(path, size - SECTOR, 5 * SECTOR)),
  repaired('a bad copy of the footer', async (path) => await overwrite(path, 100, 8)),
  short(repaired('garbage before the footer', async (path, size) => await withGarbage(path, size, 100 * KIB))),
];

function short(scene: Scene): Scene {
  return { ...scene, isShort: true };
}

function put(offset: number, length: number, seed: number): ActionWrite {
  return { offset, length, seed };
}

function created(what: string, options: CreateImageOptions): Scene {
  return {
    title: `creating ${what}`,
    build: async (folder) => {
      const path = join(folder, 'new.vhd');
      const base = options.parent ? await image(folder, 'base.vhd', { type: 'dynamic', size: SIZE }, PARENT) : null;
      const old = options.force ? await image(folder, 'new.vhd', { type: 'fixed', size: SIZE }, PARENT) : null;
      const content = base?.new ?? new Uint8Array(options.size!);
      const full = { ...options, ...(options.parent && { parent: join(folder, options.parent) }) };
      const watched = [...(base ? [base] : []), { path, old: old?.old ?? null, new: content }];
      return { action: { do: 'create', path, options: full }, watched };
    },
  };
}

function extended(what: string, options: CreateImageOptions): Scene {
  return {
    title: `writing to ${what}`,
    build: async (folder) => {
      const base = options.parent ? await image(folder, 'base.vhd', { type: 'dynamic', size: SIZE }, PARENT) : null;
      const one = await image(folder, 'disk.vhd', options, CHILD);
      const writes = [
        put(0, 2 * KIB, 21),
        { ...put(98 * KIB, 5 * KIB, 22), sync: true },
        put(20 * KIB, 12 * KIB, 23),
        put(108 * KIB, KIB, 24),
        put(SIZE - SECTOR, SECTOR, 25),
      ];
      const watched = { ...one, new: applied(one.old!, writes), mixed: true };
      return { action: { do: 'extend', path: one.path, writes }, watched: [...(base ? [base] : []), watched] };
    },
  };
}

interface Chain {
  /** Null: a raw file. */
  base: CreateImageOptions | null;
  /** Size of the child. */
  child?: number;
  grandchild?: 'base' | 'adopted';
  /** Only one of those. */
  one?: boolean;
}

/** The parent alone is in between while its child, which reads as it did, is still there. */
function merged(what: string, { base, child: size, grandchild, one }: Chain): Scene {
  return {
    title: `merging ${what}`,
    build: async (folder) => {
      const parent = base ? await image(folder, 'base.vhd', base, PARENT) : await rawFile(folder, 'base.raw', PARENT);
      const child = await image(
        folder,
        'child.vhd',
        { type: 'differencing', parent: parent.path, blockSize: 16 * KIB, ...(size !== undefined && { size }) },
        CHILD,
      );
      const watched: Watched[] = [
        { ...parent, new: child.old, mixed: true },
        { ...child, new: null },
      ];
      const into = grandchild === 'base' ? 'base' : 'parent';
      let path = child.path;
      if (grandchild) {
        const names = grandchild === 'base' ? ['tip.vhd'] : one ? ['left.vhd'] : ['left.vhd', 'right.vhd'];
        for (const name of names) {
          const options = { type: 'differencing', parent: child.path, blockSize: 8 * KIB } as const;
          const tip = await image(folder, name, options, GRANDCHILD);
          watched.push(grandchild === 'base' ? { ...tip, new: null } : tip);
          if (grandchild === 'base') {
            path = tip.path;
            watched[0] = { ...watched[0]!, new: tip.old, between: child.old! };
          }
        }
      }
      return { action: { do: 'merge', path, into, parentRoots: [] }, watched };
    },
  };
}

/** Null: a raw file. */
function resized(what: string, options: CreateImageOptions | null, size: number): Scene {
  return {
    title: `resizing ${what}`,
    build: async (folder) => {
      const base = options?.parent ? await image(folder, 'base.vhd', { type: 'dynamic', size: SIZE }, PARENT) : null;
      const one = options ? await image(folder, 'disk.vhd', options, CHILD) : await rawFile(folder, 'disk.raw', CHILD);
      const content = new Uint8Array(size);
      content.set(one.old!.subarray(0, size));
      const watched = [...(base ? [base] : []), { ...one, new: content }];
      return { action: { do: 'resize', path: one.path, size, ...(!options && { format: 'raw' }) }, watched };
    },
  };
}

function repaired(what: string, harm: (path: string, fileSize: number) => Promise<void>): Scene {
  return {
    title: `repairing ${what}`,
    build: async (folder) => {
      const one = await image(folder, 'disk.vhd', { type: 'dynamic', size: SIZE, blockSize: 8 * KIB }, CHILD);
      await harm(one.path, (await stat(one.path)).size);
      return { action: { do: 'repair', path: one.path }, watched: [{ ...one, broken: true }] };
    },
  };
}

/** Old and new are what it reads as. */
async function image(
  folder: string,
  name: string,
  options: CreateImageOptions,
  writes: readonly ActionWrite[],
): Promise<Watched> {
  const path = join(folder, name);
  const parent = options.parent?.includes('/') === false ? { parent: join(folder, options.parent) } : {};
  const { force: _, ...rest } = options;
  {
    await using disk = await createImage(path, { ...rest, ...parent });
    for (const one of inside(writes, disk.size)) await disk.write(one.offset, bytesOf(one));
  }
  const content = await contentOf(path);
  return { path, old: content, new: content };
}

async function rawFile(folder: string, name: string, writes: readonly ActionWrite[]): Promise<Watched> {
  const path = join(folder, name);
  const content = applied(new Uint8Array(SIZE), inside(writes, SIZE));
  await writeFile(path, content);
  return { path, old: content, new: content };
}

function inside(writes: readonly ActionWrite[], size: number): ActionWrite[] {
  return writes
    .filter(({ offset }) => offset < size)
    .map((one) => ({ ...one, length: Math.min(one.length, size - one.offset) }));
}

function applied(content: Uint8Array, writes: readonly ActionWrite[]): Uint8Array {
  const result = content.slice();
  for (const one of writes) result.set(bytesOf(one), one.offset);
  return result;
}

export async function contentOf(path: string): Promise<Uint8Array> {
  await using disk = await openDisk(path);
  const bytes = new Uint8Array(disk.size);
  await disk.read(0, bytes);
  return bytes;
}

async function overwrite(path: string, offset: number, length: number): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(noise(77, length), 0, length, offset);
}

async function withGarbage(path: string, size: number, length: number): Promise<void> {
  await using file = await open(path, 'r+');
  const footer = new Uint8Array(SECTOR);
  await file.read(footer, 0, SECTOR, size - SECTOR);
  await file.write(noise(78, length), 0, length, size - SECTOR);
  await file.write(footer, 0, SECTOR, size - SECTOR + length);
}
