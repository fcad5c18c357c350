import { createHash } from 'node:crypto';
import { fromHex } from '../base/hex.ts';

/*
 * The block ids of a whole disk, as a tree of pages (FORMAT.md, block map). A page holds 256 ids; level 0 pages hold
 * ids of blocks, level n pages ids of level n-1 pages; the one page of level 3 is the root.
 */
export const ID_BYTES = 32;
export const PAGE_IDS = 256;
export const PAGE_BYTES: number = PAGE_IDS * ID_BYTES;
export const LEVELS = 4;

/** Stands for an all-zero block or page, which is never stored. */
export const ZERO_ID: Uint8Array = new Uint8Array(ID_BYTES);
const ZERO_PAGE = new Uint8Array(PAGE_BYTES);

export interface MapShape {
  blocks: number;
  /** Pages per level, 0 to 3. */
  pages: readonly [number, number, number, number];
}

export function mapShape(size: number, blockSize: number): MapShape {
  const blocks = Math.ceil(size / blockSize);
  const level0 = Math.max(1, Math.ceil(blocks / PAGE_IDS));
  const level1 = Math.ceil(level0 / PAGE_IDS);
  const level2 = Math.ceil(level1 / PAGE_IDS);
  return { blocks, pages: [level0, level1, level2, 1] };
}

/** A page's bytes -> its id; the zero id where the page is all zero. */
export type PageHasher = (page: Uint8Array) => Uint8Array;

export function isZeroId(ids: Uint8Array, n = 0): boolean {
  return Buffer.compare(ids.subarray(n * ID_BYTES, (n + 1) * ID_BYTES), ZERO_ID) === 0;
}

export function isZeroPage(page: Uint8Array): boolean {
  return Buffer.compare(page, ZERO_PAGE) === 0;
}

/** Page `n` of a level whose ids are `ids`, padded with zero ids. */
export function pageOf(ids: Uint8Array, n: number): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  page.set(ids.subarray(n * PAGE_BYTES, (n + 1) * PAGE_BYTES));
  return page;
}

/** The levels above the leaves: `levels[n]` holds the ids of the pages of level n, `root` is the id of the level 3 page. */
export function buildLevels(leafIds: Uint8Array, hash: PageHasher): { levels: Uint8Array[]; root: Uint8Array } {
  const levels = [leafIds];
  for (let level = 1; level < LEVELS; level++) {
    const below = levels[level - 1] as Uint8Array;
    const count = Math.max(1, Math.ceil(below.byteLength / PAGE_BYTES));
    const ids = new Uint8Array(count * ID_BYTES);
    for (let n = 0; n < count; n++) ids.set(hash(pageOf(below, n)), n * ID_BYTES);
    levels.push(ids);
  }
  return { levels, root: levels[LEVELS - 1] as Uint8Array };
}

/** SHA-256 of size, block size and root, hex: equal for equal disks of one vault. */
export function fingerprint(size: number, blockSize: number, root: string): string {
  const facts = Buffer.alloc(12);
  facts.writeBigUInt64LE(BigInt(size), 0);
  facts.writeUInt32LE(blockSize, 8);
  return createHash('sha256').update('vhdvault/fingerprint/1').update(facts).update(fromHex(root)).digest('hex');
}
