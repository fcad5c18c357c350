import { VhdvaultError } from '../base/errors.ts';
import { fromHex, toHex } from '../base/hex.ts';
import { PAGE_IDS } from '../disk/block-map.ts';
import type { SegmentEntry } from '../vault/block-index.ts';
import { IdTable } from './id-table.ts';
import { idsIn, readInTurn, walkMap } from './map-walk.ts';
import type { PointBlocks } from './point-blocks.ts';

/** Blocks and map pages, each counted once, and the bytes that they take in their packs. */
export interface Share {
  /** As stored. */
  bytes: number;
  /** Blocks of disks. */
  blocks: number;
  /** Pages of block maps. */
  pages: number;
}

/** unique: what would be freed if only this point were forgotten; shared: what other points need, too. */
export interface PointUsage {
  unique: Share;
  shared: Share;
}

export interface UsageOptions {
  blocks: PointBlocks;
  /** The roots of the point's disks, and those of all other points of the vault. */
  own: readonly string[];
  others: readonly string[];
  /** The whole index, where it is short enough beside the point to be read through: see `scanPays`. */
  index?: AsyncIterable<readonly SegmentEntry[]> | undefined;
  signal?: AbortSignal | undefined;
  /** Leaf pages done and to do, after each. */
  onPage?: ((done: number, total: number) => void) | undefined;
}

/** What is kept for each id of the point: its stored length (a pack is no longer than 128 MiB), and two marks. */
const LENGTH = 2 ** 30 - 1;
const PAGE = 2 ** 30;
const SHARED = 2 ** 31;
/** Ids looked up together, at least; with their pages 16 MiB. */
const LOOK_UPS = 65_536;

/** The point's own ids. Of its map only the pages above the leaves are held: 1 MiB for 1 TiB of data. */
interface Own {
  ids: IdTable;
  inner: Map<string, Uint8Array>;
  leaves: Uint8Array[];
}

/** A look-up takes 6 to 10 microseconds, an entry that is read in passing takes one. */
export function scanPays(entries: number, ids: number): boolean {
  return entries <= 5 * ids;
}

/**
 * What of a point no other point has, exactly; no page of any map is read twice. A page that another point has too is
 * shared with all below it, so the others' maps are walked first, and only as far as their leaf pages. What is not
 * settled by them is looked for in the leaf pages that only others have.
 * @throws VAULT_DAMAGED, IO, CANCELLED
 */
export async function pointUsage(options: UsageOptions): Promise<PointUsage> {
  const own = await readOwnPages(options);
  const leaves = await walkOthers(options, own);
  let done = 0;
  const total = own.leaves.length + leaves.length;
  const onPage = (): void => options.onPage?.(++done, total);
  const unsettled = await readOwnLeaves(options, own, onPage);
  await strike(options, own, { leaves, unsettled, onPage });
  if (options.index) await scanLengths(own, options.index);
  return sumUp(own);
}

async function readOwnPages({ blocks, own: roots, index, signal }: UsageOptions): Promise<Own> {
  const own: Own = { ids: new IdTable(), inner: new Map(), leaves: [] };
  const known = (id: Uint8Array, level: number): number | undefined => {
    if (!own.ids.set(id, 0, PAGE)) return 0;
    if (level > 0) return undefined;
    own.leaves.push(id.slice());
    return 0;
  };
  const visit = (page: Uint8Array, id: Uint8Array): number => {
    own.inner.set(toHex(id), page.slice());
    return 0;
  };
  for (const root of roots) await walkMap({ blocks, signal, known, visit }, root);
  if (index) return own;
  await addLengths(blocks, own, [...own.inner.keys()].map(fromHex));
  for (let n = 0; n < own.leaves.length; n += LOOK_UPS)
    await addLengths(blocks, own, own.leaves.slice(n, n + LOOK_UPS));
  return own;
}

async function addLengths(blocks: PointBlocks, own: Own, ids: readonly Uint8Array[]): Promise<void> {
  const lengths = await blocks.storedLengths(ids);
  for (const [n, id] of ids.entries()) own.ids.set(id, 0, (own.ids.get(id) as number) + (lengths[n] as number));
}

/** Marks what others have, too; gives the leaf pages that only others have. */
async function walkOthers({ blocks, others, signal }: UsageOptions, own: Own): Promise<Uint8Array[]> {
  const leaves: Uint8Array[] = [];
  const seen = new IdTable({ numbers: false });
  const known = (id: Uint8Array, level: number): number | undefined => {
    if (own.ids.get(id) !== undefined) share(own, id);
    else if (seen.set(id)) {
      if (level > 0) return undefined;
      leaves.push(id.slice());
    }
    return 0;
  };
  for (const root of others) await walkMap({ blocks, signal, known, visit: () => 0 }, root);
  return leaves;
}

/** Marks a page of the point and all pages below it. */
function share(own: Own, id: Uint8Array): void {
  const value = own.ids.get(id) as number;
  if (isShared(value)) return;
  own.ids.set(id, 0, (value | SHARED) >>> 0);
  const page = own.inner.get(toHex(id));
  if (page) for (const child of idsIn(page)) share(own, child);
}

/** Takes in the point's blocks; gives how many of them no shared leaf page has. */
async function readOwnLeaves({ blocks, index, signal }: UsageOptions, own: Own, onPage: () => void): Promise<number> {
  let unsettled = 0;
  const fresh: Uint8Array[] = [];
  for await (const { id: leaf, page } of readInTurn(blocks, own.leaves, signal)) {
    const mark = isShared(own.ids.get(leaf) as number) ? SHARED : 0;
    for (const id of idsIn(page)) {
      const value = own.ids.get(id);
      if (value === undefined) {
        own.ids.set(id, 0, mark);
        if (!index) fresh.push(id);
        if (mark === 0) unsettled++;
      } else if (mark !== 0 && !isShared(value)) {
        own.ids.set(id, 0, (value | SHARED) >>> 0);
        unsettled--;
      }
    }
    if (fresh.length >= LOOK_UPS) await addLengths(blocks, own, fresh.splice(0));
    onPage();
  }
  await addLengths(blocks, own, fresh);
  return unsettled;
}

/** Marks the blocks that are in leaf pages of others, until all are. */
async function strike(
  { blocks, signal }: UsageOptions,
  { ids }: Own,
  left: { leaves: readonly Uint8Array[]; unsettled: number; onPage: () => void },
): Promise<void> {
  let { unsettled } = left;
  if (unsettled === 0) return;
  for await (const { page } of readInTurn(blocks, left.leaves, signal)) {
    for (let n = 0; n < PAGE_IDS; n++) {
      const value = ids.get(page, n);
      if (value === undefined || isShared(value)) continue;
      ids.set(page, n, (value | SHARED) >>> 0);
      unsettled--;
    }
    left.onPage();
    if (unsettled === 0) return;
  }
}

async function scanLengths({ ids }: Own, index: AsyncIterable<readonly SegmentEntry[]>): Promise<void> {
  let missing = ids.size;
  for await (const entries of index) {
    for (const { id, storedLength } of entries) {
      const value = ids.get(id);
      if (value === undefined || (value & LENGTH) !== 0) continue;
      ids.set(id, 0, value + storedLength);
      missing--;
    }
  }
  if (missing === 0) return;
  throw new VhdvaultError('VAULT_DAMAGED', `${missing} blocks of the point are in no segment of the vault`, {
    hint: 'run `vhdvault verify` to see which points are hit',
  });
}

function isShared(value: number): boolean {
  return value >= SHARED;
}

function sumUp({ ids }: Own): PointUsage {
  const usage: PointUsage = { unique: { bytes: 0, blocks: 0, pages: 0 }, shared: { bytes: 0, blocks: 0, pages: 0 } };
  for (const value of ids.numbers()) {
    const side = isShared(value) ? usage.shared : usage.unique;
    side.bytes += value & LENGTH;
    side[value & PAGE ? 'pages' : 'blocks']++;
  }
  return usage;
}
