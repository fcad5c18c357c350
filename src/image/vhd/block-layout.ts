import { VhdvaultError } from '../../base/errors.ts';
import { GIB, roundUp, SECTOR } from '../../base/units.ts';
import { batBytes } from './bat.ts';
import { HEADER_BYTES } from './dynamic-header.ts';
import { FOOTER_BYTES } from './footer.ts';
import { bitmapBytes } from './sector-bitmap.ts';

/** Where a new dynamic image puts its parts: copy of the footer, header, block table, then blocks of equal distance, footer. */
export interface BlockLayout {
  entries: number;
  headerOffset: number;
  tableOffset: number;
  /** Sector of the bitmap of the n-th stored block. */
  sectorOf: (n: number) => number;
  fileSize: (stored: number) => number;
}

/** 0xFF000000 sectors: what Windows, qemu and Azure agree upon as the end of dynamic images. */
export const MOST_DYNAMIC: number = 2040 * GIB;
/** A table of 64 MiB. Small blocks on large disks would be legal beyond, but take more memory than anybody expects. */
export const MOST_ENTRIES: number = 2 ** 24;
/** File systems and page caches work in pages: data that begins on one is read and written without neighbours. */
export const PAGE_SECTORS = 8;

/**
 * Lays out at most `stored` blocks, behind the table and `namesBytes` of a parent's names. Their data is 4 KiB-aligned (as Windows does), except where the 32-bit table would not
 * reach the last block: 512 KiB blocks near the greatest size.
 * @throws VHD_TOO_LARGE
 */
export function layoutBlocks(size: number, blockSize: number, stored: number, namesBytes = 0): BlockLayout {
  const fixed = 'use a fixed VHD, whose size has no limit (--format fixed), or a raw disk';
  if (size > MOST_DYNAMIC)
    throw tooLarge(`${size} bytes are more than the 2040 GiB of a dynamic or differencing VHD`, size, fixed);
  const entries = Math.ceil(size / blockSize);
  if (entries > MOST_ENTRIES) throw tooLarge(`${entries} blocks of ${blockSize} bytes`, size, 'use larger blocks');
  const tableOffset = FOOTER_BYTES + HEADER_BYTES;
  const bitmapSectors = bitmapBytes(blockSize) / SECTOR;
  const firstFree = (tableOffset + batBytes(entries) + namesBytes) / SECTOR;
  const length = bitmapSectors + blockSize / SECTOR;
  const aligned = {
    first: roundUp(firstFree + bitmapSectors, PAGE_SECTORS) - bitmapSectors,
    stride: roundUp(length, PAGE_SECTORS),
  };
  const dense = { first: firstFree, stride: length };
  const fits = ({ first, stride }: typeof dense): boolean => first + stride * stored < 0xffffffff;
  const { first, stride } = fits(aligned) ? aligned : dense;
  if (!fits(dense)) {
    throw tooLarge(`${stored} blocks of ${blockSize} bytes pass the 32-bit block table`, size, 'use larger blocks');
  }
  const end = (n: number): number => (n === 0 ? firstFree : first + stride * (n - 1) + length) * SECTOR;
  return {
    entries,
    headerOffset: FOOTER_BYTES,
    tableOffset,
    sectorOf: (n) => first + stride * n,
    fileSize: (n) => end(n) + FOOTER_BYTES,
  };
}

function tooLarge(message: string, found: number, hint: string): VhdvaultError {
  return new VhdvaultError('VHD_TOO_LARGE', message, { hint, details: { expected: MOST_DYNAMIC, found } });
}
