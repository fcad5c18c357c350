import { open } from 'node:fs/promises';
import { openWritable } from '../../src/index.ts';

const CHUNK = 1024 * 1024;
const PAGE = 4096;

/** Writes into an image the pages in which a raw disk of the same size differs from it, as a machine that runs would. */
export async function bringUpTo(image: string, raw: string): Promise<void> {
  await using disk = await openWritable(image);
  await using source = await open(raw, 'r');
  const [wanted, found] = [Buffer.alloc(CHUNK), Buffer.alloc(CHUNK)];
  for (let offset = 0; offset < disk.size; offset += CHUNK) {
    const length = Math.min(CHUNK, disk.size - offset);
    await source.read(wanted, 0, length, offset);
    await disk.read(offset, found.subarray(0, length));
    if (wanted.equals(found)) continue;
    for (let at = 0; at < length; at += PAGE) {
      const page = wanted.subarray(at, at + PAGE);
      if (!page.equals(found.subarray(at, at + PAGE))) await disk.write(offset + at, page);
    }
  }
}
