import { throwIfAborted } from '../base/abort.ts';
import { isError } from '../base/errors.ts';
import { fromHex, toHex } from '../base/hex.ts';
import type { LocationTable } from '../cache/location-table.ts';
import { ID_BYTES, isZeroId, LEVELS, PAGE_IDS } from '../disk/block-map.ts';
import type { CatalogPoint } from '../point/catalog.ts';
import { IdTable } from '../point/id-table.ts';
import type { ManifestDisk } from '../point/manifest.ts';
import type { PointBlocks } from '../point/point-blocks.ts';
import type { BlockLocation } from '../vault/block-index.ts';
import { type Trouble, troubleOf } from '../vault/trouble.ts';

/** Why a block or a map page cannot be had: it is in no pack, or only in these. */
export interface Cause {
  id: Uint8Array;
  packs: readonly string[];
  /** What reading it met; nothing was known before. */
  trouble?: Trouble;
}

/** A part of a disk that cannot be read. */
export interface Hit {
  disk: string;
  offset: number;
  length: number;
  cause: Cause;
  /** How many blocks, or pages, this stands for: neighbours that are lost for the same cause. */
  count: number;
}

/** Neighbours in a leaf page, by their place in it. */
export interface LostBlocks {
  first: number;
  count: number;
  cause: Cause;
}

/** What was seen of maps so far, for all points: what they have in common is looked at once. */
export interface Seen {
  /** Pages below which all is well. */
  well: IdTable;
  /** Leaf pages (hex ids) of which blocks are lost. */
  hurt: Map<string, readonly LostBlocks[]>;
}

export function nothingSeen(): Seen {
  return { well: new IdTable({ numbers: false }), hurt: new Map() };
}

/** Leaf pages to remember: a vault that lost most of its packs must not exhaust the memory. */
const MOST_HURT = 10_000;

export interface WalkOptions {
  point: CatalogPoint;
  index: LocationTable;
  blocks: PointBlocks;
  isLost(place: BlockLocation): boolean;
  seen: Seen;
  signal?: AbortSignal | undefined;
  onHit(hit: Hit): void;
  /** Told of every place of all that is walked. */
  onPlace?: ((place: BlockLocation) => void) | undefined;
}

interface Walk extends WalkOptions {
  disk: ManifestDisk;
  /** Blocks that were looked up. */
  count: number;
}

/**
 * Descends the block maps of all disks of a point and looks every id up; returns how many blocks. Hits come disk by disk,
 * each from its beginning to its end.
 */
export async function walkPoint(options: WalkOptions): Promise<number> {
  let count = 0;
  for (const disk of options.point.manifest.disks) {
    const walk: Walk = { ...options, disk, count: 0 };
    await walkPages(walk, fromHex(disk.root), LEVELS - 1, 0);
    count += walk.count;
  }
  return count;
}

/** All below the pages of one level whose ids these are; `first` is the number of the first one. Tells whether all is well. */
async function walkPages(walk: Walk, ids: Uint8Array, level: number, first: number): Promise<boolean> {
  throwIfAborted(walk.signal);
  const { seen } = walk;
  let isWell = true;
  for (const [n, page] of await readPages(walk, ids, level)) {
    if (seen.well.get(ids, n) !== undefined) continue;
    const at = first + n;
    if (await walkPage(walk, page, idAt(ids, n), { level, at })) seen.well.set(ids, n);
    else isWell = false;
  }
  return isWell;
}

async function walkPage(
  walk: Walk,
  page: Uint8Array | Cause | 'hurt',
  id: Uint8Array,
  { level, at }: { level: number; at: number },
): Promise<boolean> {
  const { hurt } = walk.seen;
  if (page === 'hurt') tellLost(walk, hurt.get(toHex(id)) ?? [], at);
  else if (!(page instanceof Uint8Array)) hit(walk, level, at, { count: 1, cause: page });
  else if (level > 0) return await walkPages(walk, page, level - 1, at * PAGE_IDS);
  else {
    const lost = lookUpAll(walk, page);
    if (lost.length === 0) return true;
    if (hurt.size < MOST_HURT) hurt.set(toHex(id), lost);
    tellLost(walk, lost, at);
  }
  return false;
}

function lookUpAll(walk: Walk, page: Uint8Array): LostBlocks[] {
  const lost: LostBlocks[] = [];
  for (const n of places(page)) {
    walk.count++;
    const cause = lookUp(walk, idAt(page, n));
    if (!cause) continue;
    const last = lost.at(-1);
    if (last && last.first + last.count === n && isSame(last.cause, cause)) last.count++;
    else lost.push({ first: n, count: 1, cause: { ...cause, id: cause.id.slice() } });
  }
  return lost;
}

function isSame({ packs }: Cause, other: Cause): boolean {
  return packs.length === other.packs.length && packs.every((pack, n) => pack === other.packs[n]);
}

function tellLost(walk: Walk, lost: readonly LostBlocks[], leaf: number): void {
  for (const { first, count, cause } of lost) hit(walk, -1, leaf * PAGE_IDS + first, { count, cause });
}

/** Those that were not seen, in order. Neighbours in a pack are read in one go; where one fails, each for itself. */
async function readPages(
  walk: Walk,
  ids: Uint8Array,
  level: number,
): Promise<Map<number, Uint8Array | Cause | 'hurt'>> {
  const pages = new Map<number, Uint8Array | Cause | 'hurt'>();
  const wanted: number[] = [];
  for (const n of places(ids)) {
    if (walk.seen.well.get(ids, n) !== undefined) continue;
    const id = idAt(ids, n);
    const known = level === 0 && walk.seen.hurt.size > 0 && walk.seen.hurt.has(toHex(id));
    const cause = known ? 'hurt' : lookUp(walk, id);
    // Also holds the place of what is to be read.
    pages.set(n, cause ?? id);
    if (!cause) wanted.push(n);
  }
  try {
    const read = await walk.blocks.readPages(wanted.map((n) => idAt(ids, n)));
    for (const [k, n] of wanted.entries()) pages.set(n, read[k] as Uint8Array);
  } catch (error) {
    asTrouble(error);
    for (const n of wanted) pages.set(n, await readPage(walk, idAt(ids, n)));
  }
  return pages;
}

async function readPage({ blocks, index }: Walk, id: Uint8Array): Promise<Uint8Array | Cause> {
  try {
    return await blocks.readPage(id);
  } catch (error) {
    return { id, packs: index.findAll(id).map(({ pack }) => pack), trouble: asTrouble(error) };
  }
}

/** One good copy is enough: who reads tries them all. */
function lookUp({ index, isLost, onPlace }: Walk, id: Uint8Array): Cause | undefined {
  const found = index.findAll(id);
  for (const place of found) onPlace?.(place);
  return found.some((place) => !isLost(place)) ? undefined : { id, packs: found.map(({ pack }) => pack) };
}

/** So many, from number `n` of a level on; -1 is that of blocks. A page takes all that it covers with it. */
function hit({ disk, onHit }: Walk, level: number, n: number, { count, cause }: { count: number; cause: Cause }): void {
  const span = disk.blockSize * PAGE_IDS ** (level + 1);
  const offset = n * span;
  const length = Math.min(count * span, disk.size - offset);
  if (length > 0) onHit({ disk: disk.name, offset, length, cause, count });
}

function asTrouble(error: unknown): Trouble {
  return troubleOf(error, isError(error) ? String(error.details.path) : '');
}

function* places(ids: Uint8Array): Generator<number> {
  for (let n = 0; n * ID_BYTES < ids.byteLength; n++) if (!isZeroId(ids, n)) yield n;
}

function idAt(ids: Uint8Array, n: number): Uint8Array {
  return ids.subarray(n * ID_BYTES, (n + 1) * ID_BYTES);
}
