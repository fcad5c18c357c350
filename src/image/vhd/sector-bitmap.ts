/*
 * Sector bitmap: stands before the data of every stored block; one bit per 512-byte sector, padded to whole sectors, so at
 * least 512 bytes. Bit 0 of the block is the most significant bit of byte 0.
 *
 * differencing: 1 = the sector is here, 0 = it is the parent's. Windows writes partial bitmaps.
 * dynamic:      1 = written; 0 = never written and zero on disk. All bits are set by every writer we know, and readers
 *               return what is on disk; so do we.
 */
import { roundUp, SECTOR } from '../../base/units.ts';

/** Bytes of the bitmap of a block, padding included. */
export function bitmapBytes(blockSize: number): number {
  return roundUp(Math.ceil(blockSize / SECTOR / 8), SECTOR);
}

/** A bitmap with the bits of all sectors of a block set; the padding is zero. */
export function fullBitmap(blockSize: number): Uint8Array {
  const bytes = new Uint8Array(bitmapBytes(blockSize));
  return bytes.fill(0xff, 0, blockSize / SECTOR / 8);
}

/** Whether the bit of a sector of the block is set. */
export function hasSector(bitmap: Uint8Array, sector: number): boolean {
  return (bitmap[sector >>> 3]! & (0x80 >>> (sector & 7))) !== 0;
}

/** Sets the bit of a sector of the block. */
export function setSector(bitmap: Uint8Array, sector: number): void {
  bitmap[sector >>> 3]! |= 0x80 >>> (sector & 7);
}

/** The first sector from `sector` on whose bit differs from that of `sector`, or `end`. Steps over equal bytes whole. */
export function endOfRun(bitmap: Uint8Array, sector: number, end: number): number {
  const set = hasSector(bitmap, sector);
  const same = set ? 0xff : 0;
  let at = sector + 1;
  while (at < end) {
    if ((at & 7) === 0 && bitmap[at >>> 3] === same) at += 8;
    else if (hasSector(bitmap, at) === set) at++;
    else return at;
  }
  return end;
}

/** `all` or `none` when the first `sectors` bits are alike, else null. */
export function uniformity(bitmap: Uint8Array, sectors: number): 'all' | 'none' | null {
  if (endOfRun(bitmap, 0, sectors) < sectors) return null;
  return hasSector(bitmap, 0) ? 'all' : 'none';
}
