import { throwIfAborted } from '../../base/abort.ts';
import { MIB, SECTOR } from '../../base/units.ts';
import type { ByteSource } from '../../io/source.ts';
import { isZero } from '../is-zero.ts';
import { endOfRun, hasSector, setSector } from '../vhd/sector-bitmap.ts';
import type { StoredBlocks } from './check-entries.ts';
import { type Budget, hasData } from './nonzero.ts';
import type { Report } from './report.ts';

/** So much of what clear bits stand for is read. */
const MOST_UNSET: number = 256 * MIB;
const LANES = 8;

interface BitmapCheck {
  source: ByteSource;
  blocks: StoredBlocks;
  layered: boolean;
  budget: Budget;
  report: Report;
  /** A bit per block: all of its sectors are set. */
  full: Uint8Array;
}

/**
 * Checks the sector bitmaps of all stored blocks, some in flight: an image may have a million.
 * @returns a bit per block whose bitmap is full
 */
export async function checkBitmaps(
  source: ByteSource,
  blocks: StoredBlocks,
  options: { layered: boolean; report: Report; signal?: AbortSignal | undefined },
): Promise<Uint8Array> {
  const { order, bitmapBytes, faulty } = blocks;
  const full = new Uint8Array(Math.ceil(blocks.bat.length / 8));
  const budget = { left: MOST_UNSET, signal: options.signal };
  const check = { source, blocks, full, budget, report: options.report, layered: options.layered };
  let next = 0;
  const lane = async (): Promise<void> => {
    const bitmap = new Uint8Array(bitmapBytes);
    while (next < order.length) {
      throwIfAborted(options.signal);
      const block = order[next++]!;
      if (hasSector(faulty, block)) continue;
      await source.read(blocks.bat[block]! * SECTOR, bitmap);
      await checkBitmap(check, block, bitmap);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return full;
}

async function checkBitmap(check: BitmapCheck, block: number, bitmap: Uint8Array): Promise<void> {
  const { blocks, report, layered, full } = check;
  const { blockSize, currentSize, bat } = blocks;
  const at = bat[block]! * SECTOR;
  const sectors = blockSize / SECTOR;
  const inside = Math.min(blockSize, currentSize - block * blockSize) / SECTOR;
  if (!isZero(bitmap.subarray(sectors / 8))) {
    const what = `the bitmap of block ${block} has bits behind those of its ${sectors} sectors; nothing reads them`;
    report.add('info', 'VHD_BITMAP_PADDING', { at: at + sectors / 8, what, expected: 0 });
  }
  if (hasSector(bitmap, 0) && endOfRun(bitmap, 0, inside) === inside) setSector(full, block);
  else if (!layered) await checkClear(check, block, bitmap, inside);
  if (layered && hasBitIn(bitmap, inside, sectors)) {
    const what = `the bitmap of block ${block} has bits of sectors behind the end of the disk`;
    const cure = 'if the disk is made larger, these show what lies there: convert the image to a new one before';
    report.add('info', 'VHD_BITMAP_BEYOND', { at: at + (inside >>> 3), what, expected: 0, cure });
  }
}

function hasBitIn(bitmap: Uint8Array, from: number, to: number): boolean {
  if (from >= to) return false;
  return hasSector(bitmap, from) || endOfRun(bitmap, from, to) < to;
}

/**
 * In a dynamic image a clear bit says never written, thus zero. Some readers return zeros for it, others what is on disk:
 * where that is something else, they disagree about the content of the disk.
 */
async function checkClear(check: BitmapCheck, block: number, bitmap: Uint8Array, inside: number): Promise<void> {
  const { source, blocks, report, budget } = check;
  const at = blocks.bat[block]! * SECTOR;
  const data = at + blocks.bitmapBytes;
  for (let sector = 0; sector < inside; ) {
    const end = endOfRun(bitmap, sector, inside);
    if (!hasSector(bitmap, sector)) {
      const range = { start: data + sector * SECTOR, end: data + end * SECTOR };
      const found = await hasData(source, range, budget);
      if (found === 'unknown') return tooMuch(check);
      if (found === 'data') {
        const what = `block ${block} has data among the ${end - sector} sectors from ${sector} on, whose bits say never written: we and qemu read the data, XenServer reads zeros`;
        const cure = 'convert the image to a new one, which all read alike';
        report.add('warning', 'VHD_BITMAP_CLEAR', {
          at: at + (sector >>> 3),
          what,
          expected: 1,
          found: 0,
          cure,
        });
        return;
      }
    }
    sector = end;
  }
}

function tooMuch({ budget, report }: BitmapCheck): void {
  if (budget.left < 0) return;
  budget.left = -1;
  const what = `only ${MOST_UNSET} bytes were looked at of sectors whose bits say never written`;
  report.add('info', 'VHD_NOT_ALL_READ', { what });
}
