import { roundUp, SECTOR } from '../../base/units.ts';
import { readFully } from '../../io/source.ts';
import { batBytes, encodeBat, UNALLOCATED } from './bat.ts';
import {
  type BlockFile,
  begin,
  blockBytes,
  CREATOR,
  clear,
  extend,
  makeDurable,
  nextUsed,
  put,
  putZeros,
  usedEnd,
} from './block-file.ts';
import { layoutBlocks } from './block-layout.ts';
import type { Footer } from './footer.ts';
import { geometryOf } from './geometry.ts';
import { hasSector, setSector } from './sector-bitmap.ts';
import { switchHeader } from './switch-header.ts';
import { allocate, putBitmap, readBitmap, writeZeros } from './write-blocks.ts';

/**
 * Makes the disk larger. What is new reads as zeros: `covered` are the ranges of it where a parent has something, which must
 * not show through.
 * @throws VHD_TOO_LARGE, NO_SPACE, IO
 */
export async function growBlocks(
  file: BlockFile,
  size: number,
  covered: readonly { offset: number; length: number }[],
): Promise<void> {
  const { blocks, header } = file;
  const before = { ...blocks, bat: blocks.bat.slice() };
  const old = { start: header.tableOffset, end: header.tableOffset + batBytes(header.maxTableEntries) };
  let tableOffset = 0;
  try {
    await makeRoom(file, size, covered);
    tableOffset = placeOfTable(file);
    await putTable(file, tableOffset);
    const maxTableEntries = blocks.bat.length;
    await switchHeader(file, { ...header, tableOffset, maxTableEntries }, resized(file.footer, size));
  } catch (error) {
    if (file.begun && file.header === header) {
      // What only our table names is forgotten; in its place, that of the file may name it already.
      const named = tableOffset === old.start ? usedEnd(file) : 0;
      Object.assign(blocks, before);
      file.end = Math.max(named, usedEnd(file));
    }
    throw error;
  } finally {
    file.entries.clear();
    file.bitmaps.clear();
  }
  if (tableOffset !== old.start) await clear(file, old);
}

async function makeRoom(
  file: BlockFile,
  size: number,
  covered: readonly { offset: number; length: number }[],
): Promise<void> {
  // Checks the limits, of the table too.
  const { entries } = layoutBlocks(size, file.blocks.blockSize, 0);
  await begin(file);
  await clearTail(file, file.footer.currentSize);
  enlargeTable(file, entries);
  for (const { offset, length } of covered) await writeZeros(file, offset, length);
  // Nobody sees these bits yet: they are of sectors behind the end of the disk.
  for (const [block, bitmap] of file.bitmaps) await putBitmap(file, block, bitmap);
  await makeDurable(file);
}

function enlargeTable(file: BlockFile, entries: number): void {
  const bat = new Uint32Array(entries).fill(UNALLOCATED);
  bat.set(file.blocks.bat);
  const full = new Uint8Array(Math.ceil(entries / 8));
  full.set(file.full);
  file.blocks.bat = bat;
  file.full = full;
}

/** Makes the disk smaller; what lies behind is gone. @throws NO_SPACE, IO */
export async function shrinkBlocks(file: BlockFile, size: number): Promise<void> {
  const { blocks } = file;
  const entries = file.header.maxTableEntries;
  const bat = blocks.bat.slice(0, Math.ceil(size / blocks.blockSize));
  blocks.bat = bat;
  blocks.stored = bat.reduce((sum, entry) => sum + (entry === UNALLOCATED ? 0 : 1), 0);
  await switchHeader(file, { ...file.header, maxTableEntries: bat.length }, resized(file.footer, size));
  await forgetEntries(file, entries);
  if (file.layered) await forgetTail(file, size);
  await makeDurable(file);
}

/** The entries behind the new end of the table, of which there were `before`: as padding, then as nothing. */
async function forgetEntries(file: BlockFile, before: number): Promise<void> {
  const { tableOffset, maxTableEntries } = file.header;
  const padded = batBytes(maxTableEntries);
  await put(file, tableOffset + maxTableEntries * 4, new Uint8Array(padded - maxTableEntries * 4).fill(0xff));
  await clear(file, { start: tableOffset + padded, end: tableOffset + batBytes(before) });
}

/** The bits of sectors behind the end of the disk, which would count again if it were made larger by others. */
async function forgetTail(file: BlockFile, size: number): Promise<void> {
  const { bat, blockSize } = file.blocks;
  const last = bat.length - 1;
  const sectors = (size - last * blockSize) / SECTOR;
  if (bat[last] === UNALLOCATED || sectors === blockSize / SECTOR) return;
  const bitmap = await readBitmap(file, last);
  const kept = new Uint8Array(bitmap.byteLength);
  for (let sector = 0; sector < sectors; sector++) if (hasSector(bitmap, sector)) setSector(kept, sector);
  await putBitmap(file, last, kept);
}

/** The original size too, which is only informative: libvhdi (vhdimount) takes it for the size of the disk. */
export function resized(footer: Footer, size: number): Footer {
  return { ...footer, ...CREATOR, originalSize: size, currentSize: size, geometry: geometryOf(size) };
}

/** What the last block stores behind the end of the disk becomes zeros; nobody reads it yet. */
async function clearTail(file: BlockFile, size: number): Promise<void> {
  const { bat, blockSize, bitmapBytes } = file.blocks;
  const last = bat.length - 1;
  const within = size - last * blockSize;
  if (bat[last] === UNALLOCATED || within === blockSize) return;
  const start = bat[last]! * SECTOR;
  // The file may store no more of it than the disk has, and something else right behind.
  if (nextUsed(file, start + SECTOR) < start + blockBytes(file)) await relocate(file, last, within);
  else await extend(file, start + blockBytes(file));
  await putZeros(file, bat[last]! * SECTOR + bitmapBytes + within, blockSize - within);
}

async function relocate(file: BlockFile, block: number, length: number): Promise<void> {
  const { bat, bitmapBytes } = file.blocks;
  const old = bat[block]! * SECTOR;
  const bytes = new Uint8Array(bitmapBytes + length);
  await readFully(file.handle, file.path, old, bytes);
  bat[block] = UNALLOCATED;
  file.blocks.stored--;
  await allocate(file, block);
  if (file.layered) file.bitmaps.set(block, bytes.slice(0, bitmapBytes));
  await put(file, bat[block]! * SECTOR + bitmapBytes, bytes.subarray(bitmapBytes));
}

/** Where it is, if there is room behind it, else behind everything. */
function placeOfTable(file: BlockFile): number {
  const { tableOffset } = file.header;
  const fits = nextUsed(file, tableOffset + 1) >= tableOffset + batBytes(file.blocks.bat.length);
  return fits ? tableOffset : roundUp(file.end, SECTOR);
}

/** Entries that are in use stay the same, or name the same bytes elsewhere. */
async function putTable(file: BlockFile, offset: number): Promise<void> {
  const bytes = encodeBat(file.blocks.bat);
  file.end = Math.max(file.end, offset + bytes.byteLength);
  await extend(file, file.end);
  await put(file, offset, bytes);
  await makeDurable(file);
}
