/**
 * `node test/bench/block-table.ts BEFORE AFTER`: two images of one disk. For sizes of blocks and of map pages: what a first
 * backup of the one would store, and what an incremental of the other on top of it, with its map pages, directories and index
 * entries; in MB. The table by which VAULT's block size and page fan-out were chosen (RESULTS.md). Keys, tags and the log, some
 * KB, are left out.
 */
import { parseArgs } from 'node:util';
import { openDisk } from '../../src/index.ts';
import { compress } from '../../src/vault/codec/compress.ts';
import { blake3 } from '../../src/vault/crypto/blake3.ts';
import { markdownTable } from './markdown.ts';

const KIB = 1024;
const READ = 1024 * KIB;
const BLOCKS = [64, 128, 256].map((kib) => kib * KIB);
const FAN_OUTS = [64, 256];
/** Blocks that four levels of 256 can tell apart; with 64 it takes five. */
const MOST = 256 ** 4;
/** Of a frame: entries of the pack's directory and of the index, and the cipher's tag. */
const OF_FRAME = 48 + 48 + 16;
const ID = 32;

const [before, after] = parseArgs({ allowPositionals: true }).positionals;
if (before === undefined || after === undefined) throw new Error('name two images of one disk');

const rows: string[][] = [];
for (const blockSize of BLOCKS) {
  const seen = new Set<string>();
  const full = await stored(before, undefined, blockSize, seen);
  const next = await stored(after, before, blockSize, seen);
  for (const ids of FAN_OUTS) {
    const pages = (numbers: ReadonlySet<number>): number => pageBytes(numbers, ids, full.blocks);
    const sums = (one: Stored): string[] =>
      [one.lz4 + pages(one.changed), one.zstd + pages(one.changed), pages(one.changed)].map(megabytes);
    rows.push([`${blockSize / KIB} KiB`, `${ids}`, ...sums(full), ...sums(next), `${next.changed.size}`]);
  }
}
console.log(
  markdownTable(
    ['block', 'ids a page', 'first, lz4', 'zstd', 'of it pages', 'next, lz4', 'zstd', 'of it pages', 'changed blocks'],
    rows,
  ).join('\n'),
);

interface Stored {
  /** Bytes of blocks that were not yet seen, with all that comes with a frame. */
  lz4: number;
  zstd: number;
  /** Numbers of blocks with other content than before. */
  changed: Set<number>;
  /** Numbers of blocks that are not zero. */
  blocks: Set<number>;
}

async function stored(path: string, base: string | undefined, blockSize: number, seen: Set<string>): Promise<Stored> {
  await using disk = await openDisk(path);
  await using old = base === undefined ? undefined : await openDisk(base);
  const [now, then, zeros] = [Buffer.alloc(READ), Buffer.alloc(READ), Buffer.alloc(READ)];
  const sum: Stored = { lz4: 0, zstd: 0, changed: new Set(), blocks: new Set() };
  for (let offset = 0; offset < disk.size; offset += READ) {
    const length = Math.min(READ, disk.size - offset);
    await disk.read(offset, now.subarray(0, length));
    if (old) await old.read(offset, then.subarray(0, length));
    if (now.compare(then, 0, length, 0, length) === 0 && now.compare(zeros, 0, length, 0, length) === 0) continue;
    for (let at = 0; at < length; at += blockSize) take(sum, (offset + at) / blockSize, at);
  }
  return sum;

  function take(into: Stored, number: number, at: number): void {
    const raw = now.subarray(at, at + blockSize);
    const isZero = raw.equals(zeros.subarray(0, raw.length));
    if (!isZero) into.blocks.add(number);
    if (raw.equals(then.subarray(at, at + blockSize))) return;
    into.changed.add(number);
    const id = Buffer.from(blake3(raw)).toString('latin1');
    if (isZero || seen.has(id)) return;
    seen.add(id);
    into.lz4 += compress('lz4', raw).payload.byteLength + OF_FRAME;
    into.zstd += compress('zstd', raw).payload.byteLength + OF_FRAME;
  }
}

/** Map pages above these blocks, from the leaves to the root: zero ids in them compress to nothing. */
function pageBytes(changed: ReadonlySet<number>, ids: number, blocks: ReadonlySet<number>): number {
  let bytes = 0;
  let [dirty, used] = [changed, blocks];
  for (let span = ids; span / ids < MOST; span *= ids) {
    const pages = new Set([...dirty].map((number) => Math.floor(number / ids)));
    for (const number of used) if (pages.has(Math.floor(number / ids))) bytes += ID;
    bytes += pages.size * OF_FRAME;
    [dirty, used] = [pages, new Set([...used].map((number) => Math.floor(number / ids)))];
  }
  return bytes;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(2);
}
