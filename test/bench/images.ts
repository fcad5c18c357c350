/**
 * `npm run bench:images -- FILE...`: how long the parser takes to open each image and to read its whole disk, in this process,
 * median of 9. Default: the images in VHDVAULT_TEST_IMAGES.
 */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkImage, isError, openDisk } from '../../src/image/vhd-parser.ts';
import { tableLines } from '../../src/report/table.ts';

const ROUNDS = 9;
const MOST = 64 * 1024 * 1024;

const rows: string[][] = [];
for (const path of process.argv.length > 2 ? process.argv.slice(2) : defaultImages()) rows.push(await measured(path));
const head = ['image', 'format', 'MiB', 'open ms', 'read ms', 'check ms', 'sha256'];
console.log(tableLines(rows, { head, align: 'llrrrrl' }).join('\n'));

function defaultImages(): string[] {
  const folder = process.env.VHDVAULT_TEST_IMAGES ?? '';
  if (folder === '') throw new Error('name images, or set VHDVAULT_TEST_IMAGES');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.vhd')).map((name) => join(folder, name));
}

async function measured(path: string): Promise<string[]> {
  const name = path.split('/').slice(-1)[0]!;
  const check = await median(() => checkImage(path));
  try {
    const open = await median(async () => await (await openDisk(path))[Symbol.asyncDispose]());
    await using disk = await openDisk(path);
    const { format, size } = disk;
    if (size > MOST) return [name, format, mib(size), open, '', check, '(large: not read)'];
    const bytes = new Uint8Array(size);
    const read = await median(() => disk.read(0, bytes));
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
    return [name, format, mib(size), open, read, check, hash];
  } catch (error) {
    if (!isError(error)) throw error;
    return [name, `refused: ${error.code}`, '', await median(() => openDisk(path).catch(() => null)), '', check, ''];
  }
}

async function median(run: () => Promise<unknown>): Promise<string> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[ROUNDS >> 1]!.toFixed(1);
}

function mib(size: number): string {
  return (size / 2 ** 20).toFixed(1);
}
