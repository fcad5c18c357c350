/**
 * `node test/fuzz/peak-memory.ts [--check] < PATHS`: opens images (and checks and describes them), one path a line, one after the other, in a process of its own, and
 * prints a line of JSON for each: how much memory the process took at most while it was open, above what it had when idle,
 * how long that took, and the code that it was refused by. Linux only.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { checkImage } from '../../src/image/check-image.ts';
import { imageFacts } from '../../src/image/image-facts.ts';
import { openDisk } from '../../src/image/open-disk.ts';

const EXTENTS = 10_000;

const paths = readFileSync(0, 'utf8').trim().split('\n');
// What the first use of anything takes belongs to the idle process.
await lookAt(paths[0]!);
const idle = memory('VmRSS');
for (const path of paths) {
  // Sets the peak back to what is used now.
  writeFileSync('/proc/self/clear_refs', '5');
  const started = performance.now();
  const code = await lookAt(path);
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(`${JSON.stringify({ path, code, taken: memory('VmHWM') - idle, seconds })}\n`);
}

/** Opens and reads the ends of an image; the code of what was thrown, `BUG` where that has no type. */
async function lookAt(path: string): Promise<string> {
  try {
    if (process.argv.includes('--check')) {
      await checkImage(path);
      await imageFacts(path);
    }
    await using disk = await openDisk(path);
    const bytes = new Uint8Array(Math.min(65536, disk.size));
    await disk.read(0, bytes);
    await disk.read(disk.size - bytes.byteLength, bytes);
    let count = 0;
    for await (const _ of disk.extents()) if (++count === EXTENTS) break;
    return 'none';
  } catch (error) {
    const { name, code } = error as { name?: string; code?: string };
    if (name !== 'VhdvaultError') process.stderr.write(`${path}: ${(error as Error).stack}\n`);
    return name === 'VhdvaultError' ? code! : 'BUG';
  }
}

/** Bytes. */
function memory(field: 'VmRSS' | 'VmHWM'): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(found![1]) * 1024;
}
