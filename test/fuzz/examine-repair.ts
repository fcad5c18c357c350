import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { isError, type OpenDiskOptions, openDisk, repairImage } from '../../src/image/vhd-parser.ts';
import { type Content, describe, typed } from './content.ts';
import type { Stopwatch } from './examine.ts';
import type { FuzzInput } from './input.ts';

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
export async function mended(
  { path, folder, input, options, first }: Repair,
  troubles: string[],
  step: Stopwatch,
): Promise<boolean> {
  const planned = await step(() => repaired(path, true, troubles));
  if (isChanged(folder, input)) troubles.push('a dry run changed something');
  const done = await step(() => repaired(path, false, troubles));
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

/** Larger than any head. */
const scratch = Buffer.alloc(16 * 1024 * 1024);
