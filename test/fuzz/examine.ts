import { closeSync, fstatSync, openSync, readdirSync, readSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import {
  checkImage,
  type ImageDisk,
  imageFacts,
  isError,
  type OpenDiskOptions,
  openDisk,
  openWritable,
  repairImage,
  type WritableDisk,
} from '../../src/image/vhd-parser.ts';
import type { Draw } from './draw.ts';
import { type FuzzInput, writeInput } from './input.ts';

/** What an input came to. */
export interface Examined {
  /** The code that it was refused by, or `opened`. */
  outcome: string;
  /** What else became of it: `repaired`, `written`. */
  deeds: string[];
  /** Laws that it broke, in words; none where all is well. */
  troubles: string[];
  /** Seconds of CPU, of this process. */
  cpu: number;
}

/** How much is done with an input: it is opened and read, also checked, also repaired and written to. */
export type Depth = 'open' | 'check' | 'repair';

/** Up to this an image is read whole; of larger ones the ends and a few places between. */
const WHOLE = 512 * 1024;
const WINDOW = 32 * 1024;
const MOST_EXTENTS = 500;
const NOW = Date.UTC(2026, 0, 1);

/**
 * Writes an input into an empty folder, does everything with it that can be done with an image, and holds the laws against
 * what comes out.
 */
export async function examine(folder: string, input: FuzzInput, draw: Draw, upTo: Depth = 'repair'): Promise<Examined> {
  const before = process.cpuUsage();
  const troubles: string[] = [];
  const deeds: string[] = [];
  const path = join(folder, input.image);
  const options = {
    parentRoots: input.parentRoots.map((root) => join(folder, root)),
    ...(input.format && { format: input.format }),
  };
  writeInput(folder, input);
  try {
    const first = await read(path, options, draw, troubles);
    await described(path, options, first, troubles);
    if (upTo !== 'open') await checked(path, options, first, troubles);
    if (upTo === 'repair') {
      if (await mended({ path, folder, input, options, first }, troubles)) deeds.push('repaired');
      if (await written(path, options, draw, troubles)) deeds.push('written');
    }
    const { user, system } = process.cpuUsage(before);
    return { outcome: first.code ?? 'opened', deeds, troubles, cpu: (user + system) / 1e6 };
  } finally {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) rmSync(join(folder, entry.name), { recursive: true });
      else unlinkSync(join(folder, entry.name));
    }
  }
}

/** What a disk reads as: some ranges of it. Null where it was refused, by `code`. */
interface Content {
  code: string | null;
  size: number;
  windows: { offset: number; bytes: Uint8Array }[];
}

async function read(path: string, options: OpenDiskOptions, draw: Draw, troubles: string[]): Promise<Content> {
  const refused = (error: unknown, doing: string): Content => {
    const code = typed(error, doing, troubles);
    return { code, size: 0, windows: [] };
  };
  let disk: ImageDisk;
  try {
    disk = await openDisk(path, options);
  } catch (error) {
    return refused(error, 'opening');
  }
  try {
    const windows = windowsOf(disk.size, draw).map(({ offset, length }) => ({ offset, bytes: new Uint8Array(length) }));
    for (const { offset, bytes } of windows) await disk.read(offset, bytes);
    await readInPieces(disk, windows, draw, troubles);
    await walkExtents(disk, windows, troubles);
    await expectCode(disk.read(disk.size - 1, new Uint8Array(2)), 'DISK_RANGE', 'reading behind the end', troubles);
    return { code: null, size: disk.size, windows };
  } catch (error) {
    troubles.push(`reading what was opened failed: ${describe(error)}`);
    return refused(error, 'reading');
  } finally {
    await disk[Symbol.asyncDispose]();
  }
}

function windowsOf(size: number, draw: Draw): { offset: number; length: number }[] {
  if (size <= WHOLE) return [{ offset: 0, length: size }];
  const offsets = [0, size - WINDOW, draw.below(size - WINDOW), Math.floor(draw.below(size - WINDOW) / 512) * 512];
  return offsets.map((offset) => ({ offset, length: WINDOW }));
}

/** The same bytes again, in pieces of any length. */
async function readInPieces(
  disk: ImageDisk,
  windows: Content['windows'],
  draw: Draw,
  troubles: string[],
): Promise<void> {
  for (const { offset, bytes } of windows) {
    const again = new Uint8Array(bytes.byteLength).fill(0xcc);
    for (let at = 0; at < again.byteLength; ) {
      const length = Math.min(
        again.byteLength - at,
        1 + draw.below(draw.one([3000, bytes.byteLength, bytes.byteLength])),
      );
      await disk.read(offset + at, again.subarray(at, at + length));
      at += length;
    }
    if (Buffer.compare(again, bytes) !== 0)
      troubles.push(`reading ${bytes.byteLength} bytes at ${offset} in pieces gives others`);
  }
}

/** The extents of each window cover it without gaps, no two neighbours are of one kind, and zero reads as zeros. */
async function walkExtents(disk: ImageDisk, windows: Content['windows'], troubles: string[]): Promise<void> {
  for (const { offset, bytes } of windows) {
    let at = offset;
    let kind = '';
    let count = 0;
    for await (const extent of disk.extents(offset, bytes.byteLength)) {
      if (extent.offset !== at || extent.length <= 0 || extent.kind === kind) {
        troubles.push(`extent ${JSON.stringify(extent)} follows ${kind} which ends at ${at}`);
      }
      const from = extent.offset - offset;
      const inside = Buffer.from(bytes.buffer, from, Math.min(extent.length, bytes.byteLength - from));
      if (extent.kind === 'zero' && !inside.equals(zeros.subarray(0, inside.length)))
        troubles.push(`zero extent at ${at} is not zero`);
      at = extent.offset + extent.length;
      kind = extent.kind;
      if (++count === MOST_EXTENTS) return;
    }
    if (at !== offset + bytes.byteLength) troubles.push(`extents end at ${at} instead of ${offset + bytes.byteLength}`);
  }
}

/** Facts are there whenever the image itself opens, and say by a finding of damage when its chain does not. */
async function described(path: string, options: OpenDiskOptions, first: Content, troubles: string[]): Promise<void> {
  try {
    const { facts, findings } = await imageFacts(path, options);
    JSON.stringify(facts);
    const damage = findings.find(({ severity }) => severity === 'damage');
    if ((damage?.code ?? null) !== first.code) troubles.push(`facts find ${damage?.code}, opening says ${first.code}`);
    if (first.code === null && facts.currentSize !== first.size) troubles.push('facts tell another size');
  } catch (error) {
    const code = typed(error, 'describing', troubles);
    if (code !== first.code) troubles.push(`describing is refused by ${code}, opening by ${first.code}`);
  }
}

/** There is damage if and only if opening refuses. */
async function checked(path: string, options: OpenDiskOptions, first: Content, troubles: string[]): Promise<void> {
  try {
    const findings = await checkImage(path, { ...options, now: NOW });
    const damage = findings.filter(({ severity }) => severity === 'damage');
    if (damage.length > 0 !== (first.code !== null)) {
      troubles.push(`check finds ${damage.map(({ code }) => code)} as damage, opening says ${first.code}`);
    }
    for (const { what, where, cure, severity } of findings) {
      if (what === '' || where === '') troubles.push('a finding without words');
      if (severity !== 'info' && cure === '') troubles.push(`no cure for: ${what}`);
    }
  } catch (error) {
    if (typed(error, 'checking', troubles) !== first.code) troubles.push(`check throws ${describe(error)}`);
  }
}

interface Repair {
  path: string;
  folder: string;
  input: FuzzInput;
  options: OpenDiskOptions;
  first: Content;
}

/**
 * Repair only plans in a dry run; after the real one what could be read reads the same, and what could not either is as it
 * was, or opens as far as its parents let it.
 */
async function mended({ path, folder, input, options, first }: Repair, troubles: string[]): Promise<boolean> {
  const planned = await repaired(path, true, troubles);
  if (isChanged(folder, input)) troubles.push('a dry run changed something');
  const done = await repaired(path, false, troubles);
  const changed = isChanged(folder, input);
  if (JSON.stringify(planned?.actions) !== JSON.stringify(done?.actions))
    troubles.push('the dry run planned other actions');
  if (!done || done.actions.length === 0) {
    if (changed) troubles.push('a repair without actions changed something');
    return false;
  }
  const after = await readAgain(path, options, first, troubles);
  if (after === null) return true;
  if (first.code === null) troubles.push(`after the repair it is refused: ${describe(after)}`);
  if (!isOfParents(after, path)) troubles.push(`repaired, it is still refused: ${describe(after)}`);
  return true;
}

function isOfParents(error: unknown, path: string): boolean {
  if (!isError(error)) return false;
  return error.code.startsWith('VHD_PARENT_') || error.code === 'VHD_CHAIN' || error.details.path !== path;
}

async function repaired(
  path: string,
  dryRun: boolean,
  troubles: string[],
): Promise<Awaited<ReturnType<typeof repairImage>> | null> {
  try {
    return await repairImage(path, { dryRun });
  } catch (error) {
    typed(error, 'repairing', troubles);
    return null;
  }
}

/** What it is refused by, or null: then it must read as it did. */
async function readAgain(path: string, options: OpenDiskOptions, first: Content, troubles: string[]): Promise<unknown> {
  try {
    await using disk = await openDisk(path, options);
    if (first.code !== null) return null;
    if (disk.size !== first.size)
      troubles.push(`after the repair the disk has ${disk.size} bytes instead of ${first.size}`);
    for (const { offset, bytes } of first.windows) {
      const again = new Uint8Array(bytes.byteLength);
      await disk.read(offset, again);
      if (Buffer.compare(again, bytes) !== 0) troubles.push(`after the repair ${offset} reads differently`);
    }
    return null;
  } catch (error) {
    typed(error, 'opening after the repair', troubles);
    return error;
  }
}

/** What opens for writing holds what is written to it, and nothing else of it changes. */
async function written(path: string, options: OpenDiskOptions, draw: Draw, troubles: string[]): Promise<boolean> {
  let disk: WritableDisk;
  try {
    disk = await openWritable(path, options);
  } catch (error) {
    typed(error, 'opening for writing', troubles);
    return false;
  }
  const windows = windowsOf(disk.size, draw).map(({ offset, length }) => ({ offset, bytes: new Uint8Array(length) }));
  try {
    try {
      for (const { offset, bytes } of windows) await disk.read(offset, bytes);
      for (let left = draw.below(4); left >= 0; left--) {
        const { offset, bytes } = draw.one(windows);
        await writeOne(disk, { offset: Math.ceil(offset / 512) * 512, end: offset + bytes.length }, draw, windows);
        if (draw.percent(20)) await disk.sync();
      }
    } finally {
      await disk[Symbol.asyncDispose]();
    }
    await using again = await openDisk(path, options);
    for (const { offset, bytes } of windows) {
      const now = new Uint8Array(bytes.byteLength);
      await again.read(offset, now);
      if (Buffer.compare(now, bytes) !== 0) troubles.push(`what was written near ${offset} reads differently`);
    }
    const findings = await checkImage(path, { ...options, now: NOW });
    const damage = findings.filter(({ severity }) => severity === 'damage').map(({ what }) => what);
    if (damage.length > 0) troubles.push(`writing made damage: ${damage}`);
    return true;
  } catch (error) {
    const code = typed(error, 'writing', troubles);
    if (!['VHD_TOO_LARGE', 'NO_SPACE'].includes(code)) troubles.push(`writing failed: ${describe(error)}`);
    return false;
  }
}

/** Some sectors inside a range, on the disk and in what it is expected to be. */
async function writeOne(
  disk: WritableDisk,
  { offset, end }: { offset: number; end: number },
  draw: Draw,
  windows: Content['windows'],
): Promise<void> {
  const sectors = Math.floor((end - offset) / 512);
  if (sectors === 0) return;
  const at = offset + draw.below(sectors) * 512;
  const length = Math.min(draw.one([1, 1, 3, 40]), Math.floor((end - at) / 512)) * 512;
  const bytes = new Uint8Array(length).fill(draw.percent(30) ? 0 : 1 + draw.below(255));
  await disk.write(at, bytes);
  for (const window of windows) {
    const from = Math.max(at, window.offset);
    const to = Math.min(at + length, window.offset + window.bytes.length);
    if (from < to) window.bytes.fill(bytes[0]!, from - window.offset, to - window.offset);
  }
}

/** Whether the files of a folder are no longer what they were made as: other names, another size, other bytes of the image. */
function isChanged(folder: string, input: FuzzInput): boolean {
  const names = readdirSync(folder).sort();
  const made = [...input.files.keys(), ...input.links.map(({ name }) => name)].map((name) => name.replace(/\/.*/, ''));
  if (names.join() !== [...new Set(made)].sort().join()) return true;
  const { head, size, tail } = input.files.get(input.image)!;
  const file = openSync(join(folder, input.image), 'r');
  try {
    if (fstatSync(file).size !== size) return true;
    const [start, end] = [scratch.subarray(0, Math.min(size, head.length)), Buffer.alloc(tail.length)];
    readSync(file, start, 0, start.length, 0);
    readSync(file, end, 0, end.length, size - end.length);
    return Buffer.compare(start, head.subarray(0, size)) !== 0 || Buffer.compare(end, tail) !== 0;
  } finally {
    closeSync(file);
  }
}

const zeros = Buffer.alloc(WHOLE);
/** Larger than any head. */
const scratch = Buffer.alloc(16 * 1024 * 1024);

async function expectCode(action: Promise<unknown>, code: string, doing: string, troubles: string[]): Promise<void> {
  const error: unknown = await action.then(
    () => null,
    (failure: unknown) => failure,
  );
  if (!isError(error) || error.code !== code) troubles.push(`${doing}: ${describe(error)} instead of ${code}`);
}

/** The code of an error; one without a type, or of a bug, is a trouble. */
function typed(error: unknown, doing: string, troubles: string[]): string {
  if (isError(error) && error.code !== 'BUG') {
    if (error.message === '') troubles.push(`${doing}: ${error.code} without a message`);
    return error.code;
  }
  troubles.push(`${doing}: ${describe(error)}`);
  return 'BUG';
}

function describe(error: unknown): string {
  if (isError(error)) return `${error.code} (${error.message})`;
  return error instanceof Error ? (error.stack ?? String(error)) : String(error);
}
