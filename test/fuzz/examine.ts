import { readdirSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import {
  checkImage,
  type ImageDisk,
  imageFacts,
  isError,
  type OpenDiskOptions,
  openDisk,
} from '../../src/image/vhd-parser.ts';
import { type Content, describe, NOW, typed, WHOLE, windowsOf } from './content.ts';
import type { Draw } from './draw.ts';
import { mended } from './examine-repair.ts';
import { written } from './examine-writing.ts';
import { type FuzzInput, writeInput } from './input.ts';

/** What an input came to. */
export interface Examined {
  /** The code that it was refused by, or `opened`. */
  outcome: string;
  /** What else became of it: `repaired`, `written`. */
  deeds: string[];
  /** Laws that it broke, in words; none where all is well. */
  troubles: string[];
  /** Of the step that took longest: seconds of CPU, of this process. */
  cpu: number;
}

/** How much is done with an input: it is opened and read, also checked, also repaired and written to. */
export type Depth = 'open' | 'check' | 'repair';

const MOST_EXTENTS = 500;
const zeros = Buffer.alloc(WHOLE);

/**
 * Writes an input into an empty folder, does everything with it that can be done with an image, and holds the laws against
 * what comes out.
 */
export async function examine(folder: string, input: FuzzInput, draw: Draw, upTo: Depth = 'repair'): Promise<Examined> {
  const step = stopwatch();
  const troubles: string[] = [];
  const deeds: string[] = [];
  const path = join(folder, input.image);
  const options = {
    parentRoots: input.parentRoots.map((root) => join(folder, root)),
    ...(input.format && { format: input.format }),
  };
  writeInput(folder, input);
  try {
    const first = await step(() => read(path, options, draw, troubles));
    await step(() => described(path, options, first, troubles));
    if (upTo !== 'open') await step(() => checked(path, options, first, troubles));
    if (upTo === 'repair') {
      if (await mended({ path, folder, input, options, first }, troubles, step)) deeds.push('repaired');
      if (await step(() => written(path, options, draw, troubles))) deeds.push('written');
    }
    return { outcome: first.code ?? 'opened', deeds, troubles, cpu: step.longest };
  } finally {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) rmSync(join(folder, entry.name), { recursive: true });
      else unlinkSync(join(folder, entry.name));
    }
  }
}

/** Takes a step of the examination. */
export interface Stopwatch {
  <T>(step: () => Promise<T>): Promise<T>;
  /** Of the steps so far, in seconds of CPU. */
  longest: number;
}

function stopwatch(): Stopwatch {
  const watch = async <T>(step: () => Promise<T>): Promise<T> => {
    const before = process.cpuUsage();
    const result = await step();
    const { user, system } = process.cpuUsage(before);
    watch.longest = Math.max(watch.longest, (user + system) / 1e6);
    return result;
  };
  watch.longest = 0;
  return watch;
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

async function expectCode(action: Promise<unknown>, code: string, doing: string, troubles: string[]): Promise<void> {
  const error: unknown = await action.then(
    () => null,
    (failure: unknown) => failure,
  );
  if (!isError(error) || error.code !== code) troubles.push(`${doing}: ${describe(error)} instead of ${code}`);
}
