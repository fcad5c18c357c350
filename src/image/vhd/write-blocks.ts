import { VhdvaultError } from '../../base/errors.ts';
import { MIB, roundUp, SECTOR } from '../../base/units.ts';
import { readFully } from '../../io/source.ts';
import { isZero } from '../is-zero.ts';
import { UNALLOCATED } from './bat.ts';
import { type BlockFile, begin, blockBytes, extend, makeDurable, put, putZeros } from './block-file.ts';
import { PAGE_SECTORS } from './block-layout.ts';
import { fullBitmap, hasSector, setSector, uniformity } from './sector-bitmap.ts';

/** So many bytes of changed bitmaps are kept before they are written. */
const MOST_KEPT = 8 * MIB;
/** Room is made for several blocks at once, since it is made durable: so little of it that a crash leaves no more. */
const MOST_AHEAD = 64 * MIB;
/** Table entries that nobody changed are written again where the gap is small. */
const MOST_GAP = 1024;

/** Writes whole sectors to their places in the image. @throws VHD_TOO_LARGE, NO_SPACE, IO */
export async function writeBlocks(file: BlockFile, offset: number, bytes: Uint8Array): Promise<void> {
  for (const { block, within, part } of byBlock(file, offset, bytes)) {
    if (file.blocks.bat[block] === UNALLOCATED) {
      if (!file.layered && isZero(part)) continue;
      await allocate(file, block);
    }
    await begin(file);
    await put(file, dataOf(file, block) + within, part);
    await markWritten(file, block, within, part.byteLength);
  }
  if (file.bitmaps.size * file.blocks.bitmapBytes > MOST_KEPT) await syncBlocks(file);
}

/** Makes a range of the disk zeros which its parent's content must not show through. */
export async function writeZeros(file: BlockFile, offset: number, length: number): Promise<void> {
  const { blockSize, bat } = file.blocks;
  for (let at = offset; at < offset + length; ) {
    const block = Math.floor(at / blockSize);
    const within = at - block * blockSize;
    const part = Math.min(blockSize - within, offset + length - at);
    // What was just allocated is zeros.
    if (bat[block] === UNALLOCATED) await allocate(file, block);
    else await putZeros(file, dataOf(file, block) + within, part);
    await markWritten(file, block, within, part);
    at += part;
  }
}

/** Makes durable what was written: content first, then what leads to it. */
export async function syncBlocks(file: BlockFile): Promise<void> {
  const { entries, bitmaps } = file;
  for (const [block, bitmap] of bitmaps) if (entries.has(block)) await putBitmap(file, block, bitmap);
  await makeDurable(file);
  if (entries.size + bitmaps.size === 0) return;
  for (const [block, bitmap] of bitmaps) if (!entries.has(block)) await putBitmap(file, block, bitmap);
  await putEntries(
    file,
    [...entries].sort((a, b) => a - b),
  );
  await makeDurable(file);
  entries.clear();
  bitmaps.clear();
}

/** The first byte of a block's data in the file. */
function dataOf({ blocks }: BlockFile, block: number): number {
  return blocks.bat[block]! * SECTOR + blocks.bitmapBytes;
}

function* byBlock(
  { blocks }: BlockFile,
  offset: number,
  bytes: Uint8Array,
): Generator<{ block: number; within: number; part: Uint8Array }> {
  for (let done = 0; done < bytes.byteLength; ) {
    const block = Math.floor((offset + done) / blocks.blockSize);
    const within = offset + done - block * blocks.blockSize;
    const part = bytes.subarray(done, done + blocks.blockSize - within);
    yield { block, within, part };
    done += part.byteLength;
  }
}

/** Whether so much slack may be room that a crash left. Windows leaves less, and other programs what is theirs. */
export function isRoomAhead(slack: number): boolean {
  return slack > PAGE_SECTORS * SECTOR && slack <= MOST_AHEAD;
}

/** Gives a block a place behind everything else, where it reads as zeros or, in a differencing image, as its parent. */
export async function allocate(file: BlockFile, block: number): Promise<void> {
  const { blocks } = file;
  const at = placeOf(file) * SECTOR;
  const length = blockBytes(file);
  const missing = blocks.bat.length - blocks.stored - 1;
  await extend(file, at + length, Math.min(MOST_AHEAD, file.limit / 8, missing * length));
  await begin(file);
  // Bytes of an earlier, unfinished change, and of the footer that stood here.
  await putZeros(file, file.end, Math.min(file.clean, at + length) - file.end);
  if (file.layered) file.bitmaps.set(block, new Uint8Array(blocks.bitmapBytes));
  else {
    await put(file, at, fullBitmap(blocks.blockSize));
    setSector(file.full, block);
  }
  file.end = at + length;
  blocks.bat[block] = at / SECTOR;
  blocks.stored++;
  file.entries.add(block);
}

/**
 * The sector of the next block's bitmap: its data is 4 KiB-aligned, unless the 32-bit table would then not reach the last
 * block of the disk.
 */
function placeOf(file: BlockFile): number {
  const { bat, stored, bitmapBytes, blockSize } = file.blocks;
  const missing = bat.length - stored;
  const bitmap = bitmapBytes / SECTOR;
  const length = bitmap + blockSize / SECTOR;
  const dense = Math.ceil(file.end / SECTOR);
  const aligned = roundUp(dense + bitmap, PAGE_SECTORS) - bitmap;
  const place = aligned + roundUp(length, PAGE_SECTORS) * missing < UNALLOCATED ? aligned : dense;
  if (place + length <= UNALLOCATED) return place;
  throw new VhdvaultError('VHD_TOO_LARGE', `${file.path}: another block would pass the 32-bit block table`, {
    hint: 'convert the image to one with larger blocks, or to a fixed one',
    details: { path: file.path, found: place },
  });
}

async function markWritten(file: BlockFile, block: number, within: number, length: number): Promise<void> {
  if (hasSector(file.full, block)) return;
  const bitmap = file.bitmaps.get(block) ?? (await partialBitmap(file, block));
  if (!bitmap) return;
  let changed = false;
  for (let sector = within / SECTOR; sector < (within + length) / SECTOR; sector++) {
    if (hasSector(bitmap, sector)) continue;
    setSector(bitmap, sector);
    changed = true;
  }
  if (changed) file.bitmaps.set(block, bitmap);
}

/** Null when it is full, which is noted. */
async function partialBitmap(file: BlockFile, block: number): Promise<Uint8Array | null> {
  const bitmap = await readBitmap(file, block);
  if (uniformity(bitmap, file.blocks.blockSize / SECTOR) !== 'all') return bitmap;
  setSector(file.full, block);
  return null;
}

/** As it is in the file. */
export async function readBitmap(file: BlockFile, block: number): Promise<Uint8Array> {
  const { bat, bitmapBytes } = file.blocks;
  const bitmap = new Uint8Array(bitmapBytes);
  const position = bat[block]! * SECTOR;
  await readFully(file.handle, file.path, position, bitmap);
  return bitmap;
}

export async function putBitmap(file: BlockFile, block: number, bitmap: Uint8Array): Promise<void> {
  await put(file, file.blocks.bat[block]! * SECTOR, bitmap);
}

async function putEntries(file: BlockFile, blocks: readonly number[]): Promise<void> {
  for (let i = 0; i < blocks.length; ) {
    const first = blocks[i]!;
    let last = first;
    while (++i < blocks.length && blocks[i]! - last <= MOST_GAP) last = blocks[i]!;
    const bytes = Buffer.alloc((last + 1 - first) * 4);
    for (let block = first; block <= last; block++) {
      bytes.writeUInt32BE(file.blocks.bat[block]!, (block - first) * 4);
    }
    await put(file, file.header.tableOffset + first * 4, bytes);
  }
}
