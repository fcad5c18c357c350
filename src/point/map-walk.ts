import { throwIfAborted } from '../base/abort.ts';
import { fromHex, toHex } from '../base/hex.ts';
import { ID_BYTES, isZeroId, LEVELS, PAGE_IDS } from '../disk/block-map.ts';
import type { PointBlocks } from './point-blocks.ts';

/** What a walk asks and tells. */
export interface MapVisitor {
  /** The number of a page that need not be read, nor what is below it; undefined where it must be. */
  known(id: Uint8Array, level: number): number | undefined;
  /** A page that was read, after all that is below it; `below`: the sum of the numbers there. Gives the page's number. */
  visit(page: Uint8Array, id: Uint8Array, level: number, below: number): number;
}

interface Walk extends MapVisitor {
  blocks: PointBlocks;
  signal?: AbortSignal | undefined;
}

/**
 * Walks a block map from its root down; gives the root's number, 0 for a map of nothing. The pages below one page are
 * read together, since they lie side by side in their pack; the most that is held are three times 256 pages, 6 MiB.
 * @throws VAULT_DAMAGED, IO, CANCELLED
 */
export async function walkMap(walk: Walk, root: string): Promise<number> {
  return await walkPages(walk, fromHex(root), LEVELS - 1);
}

/** All pages whose ids are in `ids`; each counts as often as it is there, but is asked for and read once. */
async function walkPages(walk: Walk, ids: Uint8Array, level: number): Promise<number> {
  let sum = 0;
  const times = new Map<string, number>();
  const wanted: Uint8Array[] = [];
  const numbers = new Map<string, number>();
  for (const id of idsIn(ids)) {
    const key = toHex(id);
    times.set(key, (times.get(key) ?? 0) + 1);
    if (times.get(key) !== 1) continue;
    const number = walk.known(id, level);
    if (number === undefined) wanted.push(id);
    else numbers.set(key, number);
  }
  throwIfAborted(walk.signal);
  const pages = await walk.blocks.readPages(wanted);
  for (const [n, id] of wanted.entries()) {
    const page = pages[n] as Uint8Array;
    const below = level > 0 ? await walkPages(walk, page, level - 1) : 0;
    numbers.set(toHex(id), walk.visit(page, id, level, below));
  }
  for (const [key, number] of numbers) sum += number * (times.get(key) as number);
  return sum;
}

/** The ids in a page that are not zero. */
export function* idsIn(page: Uint8Array): Generator<Uint8Array> {
  for (let n = 0; n < page.byteLength / ID_BYTES; n++) {
    if (!isZeroId(page, n)) yield page.subarray(n * ID_BYTES, (n + 1) * ID_BYTES);
  }
}

/** Reads pages in the order given, 256 together. */
export async function* readInTurn(
  blocks: PointBlocks,
  ids: readonly Uint8Array[],
  signal: AbortSignal | undefined,
): AsyncGenerator<{ id: Uint8Array; page: Uint8Array }> {
  for (let n = 0; n < ids.length; n += PAGE_IDS) {
    throwIfAborted(signal);
    const some = ids.slice(n, n + PAGE_IDS);
    const pages = await blocks.readPages(some);
    for (const [k, id] of some.entries()) yield { id, page: pages[k] as Uint8Array };
  }
}
