import { mkdir, readdir, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isZero } from '../../src/image/is-zero.ts';
import {
  checkImage,
  convertImage,
  createImage,
  type ErrorCode,
  type Extent,
  type Finding,
  type ImageDisk,
  isError,
  mergeImage,
  openDisk,
  openWritable,
  repairImage,
  resizeImage,
  type WritableDisk,
} from '../../src/image/vhd-parser.ts';
import { foreignImage } from './foreign-image.ts';
import { contentOf, type Link, type Program, rangeOf, SECTOR, type Step } from './image-program.ts';

/** One image, and what it must read as. */
interface Image {
  path: string;
  raw: boolean;
  blockSize: number;
  parent: Image | null;
  content: Uint8Array;
  open: WritableDisk | null;
}

/** All images of one program, in two folders. */
interface World {
  folder: string;
  /** Some of it was not written by us, and need not be as tidy. */
  foreign: boolean;
  images: Image[];
  made: number;
}

const MOST_IMAGES = 9;
const MOST_LINKS = 8;
const MOST_BYTES = 5 << 20;
/** True of images that are as they should be: blocks of a size that is legal but unusual, a child of another size than its parent, a table that was moved. */
const LEGAL = ['VHD_BLOCK_SIZE', 'VHD_PARENT_SIZE', 'VHD_GAPS'];

/** Runs a program in an empty folder, and holds every image to plain arrays of bytes, at every step and at the end. */
export async function runProgram(folder: string, program: Program): Promise<void> {
  const world = await openWorld(folder, program.base);
  try {
    for (const [i, step] of program.steps.entries()) {
      await runStep(world, step).catch((error: unknown) => {
        throw new Error(`step ${i}, ${JSON.stringify(step)}: ${textOf(error)}`, { cause: error });
      });
    }
    await checkAll(world);
  } finally {
    for (const image of world.images) await close(image);
  }
}

function textOf(error: unknown): string {
  return isError(error) ? `${error.code} ${error.message}` : String((error as Error).stack ?? error);
}

async function openWorld(folder: string, base: Program['base']): Promise<World> {
  const { kind, sectors, blockSize } = base;
  for (const name of ['a', 'b']) await mkdir(join(folder, name), { recursive: true });
  const size = sectors * SECTOR;
  const raw = kind === 'raw';
  const path = join(folder, 'a', raw ? 'base.raw' : 'base.vhd');
  if (raw) await writeFile(path, new Uint8Array(size));
  if (kind === 'foreign') {
    const { bytes, content } = foreignImage(base);
    await writeFile(path, bytes);
    const image = { path, raw, blockSize, parent: null, content, open: null };
    return { folder, foreign: true, images: [image], made: 0 };
  }
  const open = raw ? null : await createImage(path, { type: kind, size, ...(kind === 'dynamic' && { blockSize }) });
  const image = { path, raw, blockSize, parent: null, content: new Uint8Array(size), open };
  return { folder, foreign: false, images: [image], made: 0 };
}

async function runStep(world: World, step: Step): Promise<void> {
  const { images } = world;
  const image = images[step.image % images.length]!;
  const leaves = images.filter((one) => childrenOf(world, one).length === 0);
  switch (step.do) {
    case 'write':
      return await write(world, leaves[step.image % leaves.length]!, step);
    case 'sync':
      return await sync(world, leaves[step.image % leaves.length]!);
    case 'reopen':
      return await close(image);
    case 'read':
      return await readPart(world, image, step.from, step.to);
    case 'check':
      await close(image);
      return await check(world, image);
    case 'repair':
      return await repair(world, image);
    case 'snapshot':
      return await snapshot(world, image, step.link);
    case 'grow':
      return await resize(world, image, image.content.byteLength + step.by * SECTOR);
    case 'shrink':
      return await resize(world, image, shrunk(image, step));
    case 'merge':
      return await merge(world, image, step.into);
    case 'convert':
      return await convert(world, image, step.format);
    default:
      step satisfies never;
  }
}

/** What every function is told: parents and children may lie in any of the folders. */
function options(world: World, image: Image): { parentRoots: string[]; format?: 'raw' } {
  return { parentRoots: [world.folder], ...(image.raw && { format: 'raw' }) };
}

async function writable(world: World, image: Image): Promise<WritableDisk> {
  image.open ??= await openWritable(image.path, options(world, image));
  return image.open;
}

/** Whoever has an image open reads through its parents as they were when it was opened. */
async function closeWithChildren(world: World, image: Image): Promise<void> {
  await close(image);
  for (const child of childrenOf(world, image)) await closeWithChildren(world, child);
}

function childrenOf({ images }: World, image: Image): Image[] {
  return images.filter(({ parent }) => parent === image);
}

async function close(image: Image): Promise<void> {
  const { open } = image;
  image.open = null;
  await open?.[Symbol.asyncDispose]();
}

/** Those that touch no sector of another one are written at once, the others after them. */
async function write(world: World, image: Image, step: Extract<Step, { do: 'write' }>): Promise<void> {
  const disk = await writable(world, image);
  const ranges = step.writes.map((one) => {
    const { offset, length } = rangeOf(one, image.content.byteLength, image.blockSize);
    return { offset, end: offset + length, bytes: contentOf(one, length) };
  });
  const alone = ranges.filter((a) => ranges.every((b) => a === b || a.end <= b.offset || b.end <= a.offset));
  await Promise.all(alone.map(({ offset, bytes }) => disk.write(offset, bytes)));
  for (const { offset, bytes } of ranges.filter((one) => !alone.includes(one))) await disk.write(offset, bytes);
  const inOrder = [...alone, ...ranges.filter((one) => !alone.includes(one))];
  for (const { offset, bytes } of inOrder) image.content.set(bytes, offset);
  for (const { offset, bytes } of inOrder) await expectRead(disk, image, offset, offset + bytes.byteLength);
}

/** After it, another who opens the file reads the same. */
async function sync(world: World, image: Image): Promise<void> {
  await image.open?.sync();
  await checkContent(world, image);
}

async function readPart(world: World, image: Image, from: number, to: number): Promise<void> {
  const size = image.content.byteLength;
  const [a, b] = [from % (size + 1), to % (size + 1)].sort((x, y) => x - y) as [number, number];
  const own = image.open;
  const disk = own ?? (await openDisk(image.path, options(world, image)));
  try {
    await expectRead(disk, image, a, b);
    await expectExtents(disk, image, a - (a % SECTOR), b - (b % SECTOR));
  } finally {
    if (!own) await disk[Symbol.asyncDispose]();
  }
}

async function snapshot(world: World, parent: Image, link: Link): Promise<void> {
  if (world.images.length >= MOST_IMAGES || depthOf(parent) >= MOST_LINKS) return;
  await close(parent);
  const name = `child${world.made++}.vhd`;
  const path = join(world.folder, link.elsewhere ? 'b' : 'a', name);
  const { blockSize, locators } = link;
  const size = link.sectors === null ? parent.content.byteLength : link.sectors * SECTOR;
  const open = await createImage(path, {
    type: 'differencing',
    parent: parent.path,
    ...(parent.raw && { parentFormat: 'raw' }),
    ...(link.sectors !== null && { size }),
    blockSize,
    locators,
    parentRoots: [world.folder],
    ...(link.windows && {
      windowsParentPath: `D:\\vm\\${parent.path.slice(world.folder.length + 1).replace('/', '\\')}`,
    }),
  });
  const content = new Uint8Array(size);
  content.set(parent.content.subarray(0, size));
  world.images.push({ path, raw: false, blockSize, parent, content, open });
}

function depthOf(image: Image): number {
  return image.parent ? 1 + depthOf(image.parent) : 1;
}

function shrunk({ content }: Image, step: Extract<Step, { do: 'shrink' }>): number {
  const used = usedSectors(content);
  const sectors = content.byteLength / SECTOR;
  if (step.to === 'any') return (1 + (step.sectors % sectors)) * SECTOR;
  return (used + (step.sectors % (sectors - used + 1))) * SECTOR;
}

/** At least one. */
function usedSectors(content: Uint8Array): number {
  let used = content.byteLength / SECTOR;
  while (used > 1 && isZero(content.subarray((used - 1) * SECTOR, used * SECTOR))) used--;
  return used;
}

async function resize(world: World, image: Image, size: number): Promise<void> {
  if (size > MOST_BYTES) return;
  await closeWithChildren(world, image);
  const before = image.content.byteLength;
  const run = resizeImage(image.path, size, options(world, image));
  if (!isZero(image.content.subarray(size))) {
    await expectRefused(run, 'DISK_NOT_EMPTY');
  } else {
    const result = await run;
    expectEqual(
      `${result.path} ${result.before} ${result.after}`,
      `${image.path} ${before} ${size}`,
      'what resizing tells',
    );
    const content = new Uint8Array(size);
    content.set(image.content.subarray(0, size));
    image.content = content;
  }
  await checkContent(world, image);
}

async function merge(world: World, image: Image, into: 'parent' | 'base'): Promise<void> {
  const chain = linksOf(image, into);
  for (const one of [image, ...chain]) await closeWithChildren(world, one);
  const run = mergeImage(image.path, { parentRoots: [world.folder], into, ...(image.raw && { format: 'raw' }) });
  const target = chain.at(-1);
  if (!target) return await expectRefused(run, 'USAGE');
  if (chain.some((one) => childrenOf(world, one).length > 1)) return await expectRefused(run, 'VHD_HAS_CHILDREN');
  const result = await run;
  const adopted = childrenOf(world, image);
  const gone = [image, ...chain.slice(0, -1)].toReversed();
  expectEqual(result.path, target.path, 'the image that has it all');
  expectEqual(result.virtualSize, image.content.byteLength, 'its size');
  expectEqual(result.merged.join(), gone.map(({ path }) => path).join(), 'what was merged');
  expectEqual(
    result.adopted.toSorted().join(),
    adopted
      .map(({ path }) => path)
      .toSorted()
      .join(),
    'what was adopted',
  );
  target.content = image.content;
  for (const child of adopted) child.parent = target;
  world.images = world.images.filter((one) => !gone.includes(one));
  await checkContent(world, adopted.at(-1) ?? target);
}

/** What an image is merged into, nearest first. */
function linksOf(image: Image, into: 'parent' | 'base'): Image[] {
  if (!image.parent) return [];
  return into === 'parent' ? [image.parent] : [image.parent, ...linksOf(image.parent, into)];
}

async function convert(world: World, image: Image, format: 'fixed' | 'dynamic' | 'raw'): Promise<void> {
  await image.open?.sync();
  const path = join(world.folder, format === 'raw' ? 'flat.raw' : 'flat.vhd');
  await convertImage(image.path, path, {
    format,
    parentRoots: [world.folder],
    ...(image.raw && { sourceFormat: 'raw' }),
  });
  const made = { ...image, path, raw: format === 'raw', parent: null, open: null };
  await checkContent(world, made);
  await check(world, made);
  await unlink(path);
}

async function repair(world: World, image: Image): Promise<void> {
  await close(image);
  if (image.raw) return;
  const { copy, actions, findings } = await repairImage(image.path, { parentRoots: [world.folder] });
  if (world.foreign && copy !== null) await unlink(copy);
  else expectEqual(JSON.stringify([copy, actions]), '[null,[]]', 'what was to be repaired');
  expectLegal(world, findings);
  await checkContent(world, image);
}

async function check(world: World, image: Image): Promise<void> {
  expectLegal(world, await checkImage(image.path, options(world, image)));
}

function expectLegal({ foreign }: World, findings: readonly Finding[]): void {
  const others = findings.filter(({ code, severity }) => !(foreign ? severity !== 'damage' : LEGAL.includes(code)));
  expectEqual(JSON.stringify(others), '[]', 'findings');
}

/** Every image alone, closed, as a stranger opens it; and nothing else lies in the folders. */
async function checkAll(world: World): Promise<void> {
  for (const image of world.images) await close(image);
  for (const image of world.images) {
    await checkContent(world, image);
    await check(world, image);
  }
  const found = await readdir(world.folder, { recursive: true });
  const wanted = ['a', 'b', ...world.images.map(({ path }) => path.slice(world.folder.length + 1))];
  expectEqual(found.toSorted().join(), wanted.toSorted().join(), 'files');
}

async function checkContent(world: World, image: Image): Promise<void> {
  await using disk = await openDisk(image.path, options(world, image));
  expectEqual(disk.size, image.content.byteLength, `size of ${image.path}`);
  await expectRead(disk, image, 0, disk.size);
  await expectExtents(disk, image, 0, disk.size);
}

/** What is read goes into these by turns: programs run at once. */
const scratches: Buffer[] = [];

async function expectRead(disk: ImageDisk, image: Image, from: number, to: number): Promise<void> {
  const scratch = scratches.pop() ?? Buffer.alloc(MOST_BYTES);
  const bytes = scratch.subarray(0, to - from).fill(0x77);
  await disk.read(from, bytes);
  scratches.push(scratch);
  if (bytes.equals(image.content.subarray(from, to))) return;
  const at = bytes.findIndex((byte, i) => byte !== image.content[from + i]);
  const wrong = `byte ${from + at} of [${from}, ${to}) of ${image.path}, of ${disk.size} in blocks of ${image.blockSize},`;
  throw new Error(`${wrong} is ${bytes[at]} instead of ${image.content[from + at]}`);
}

/** They cover the range, and what they call zero is. */
async function expectExtents(disk: ImageDisk, image: Image, from: number, to: number): Promise<void> {
  let at = from;
  let last: Extent['kind'] | undefined;
  for await (const { offset, length, kind } of disk.extents(from, to - from)) {
    const fits = offset === at && length > 0 && kind !== last;
    const true0 = kind !== 'zero' || isZero(image.content.subarray(offset, offset + length));
    if (!fits || !true0) throw new Error(`${image.path}: extent ${kind} of ${length} at ${offset}, ${at} reached`);
    at += length;
    last = kind;
  }
  expectEqual(at, to, 'the end of the extents');
}

async function expectRefused(run: Promise<unknown>, code: ErrorCode): Promise<void> {
  const refused = await run.then(
    () => 'nothing',
    (error: unknown) => (isError(error) ? error.code : textOf(error)),
  );
  expectEqual(refused, code, 'the refusal');
}

/** vitest's own would cost a fifth of the time of all programs. */
function expectEqual(found: string | number, expected: string | number, what: string): void {
  if (found !== expected) throw new Error(`${what}: ${found} instead of ${expected}`);
}
