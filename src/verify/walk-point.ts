import { throwIfAborted } from '../base/abort.ts';
import { isError } from '../base/errors.ts';
import { fromHex, toHex } from '../base/hex.ts';
import type { LocationTable } from '../cache/location-table.ts';
import { ID_BYTES, isZeroId, LEVELS, PAGE_IDS } from '../disk/block-map.ts';
import type { CatalogPoint } from '../point/catalog.ts';
import { PointBlocks } from '../point/point-blocks.ts';
import type { BlockIndex } from '../vault/block-index.ts';
import type { Vault } from '../vault/vault.ts';

/** What a point would lack: the damaged packs that it needs, and ids that no pack holds. */
export interface Walk {
  blocks: number;
  packs: Set<string>;
  missing: string[];
}

export interface WalkOptions {
  vault: Vault;
  point: CatalogPoint;
  index: LocationTable;
  badPacks: ReadonlySet<string>;
  /** See `badIdKey`. */
  badIds: ReadonlySet<string>;
  /** Pages (hex ids) that were walked without a finding, for any point: unchanged pages cost nothing. */
  seen: Set<string>;
  signal?: AbortSignal | undefined;
}

/** A block that cannot be read from this pack; another one may hold it whole. */
export function badIdKey(pack: string, id: string): string {
  return `${pack} ${id}`;
}

/** Descends the block maps of all disks of a point and looks every id up. */
export async function walkPoint(options: WalkOptions): Promise<Walk> {
  const { vault, point, index } = options;
  const walk: Walk = { blocks: 0, packs: new Set(), missing: [] };
  const lookUp: BlockIndex = {
    find: async (ids) => ids.map((id) => index.find(id)),
    findAll: async (id) => index.findAll(id),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const { store, keys, config } = vault;
  await using blocks = new PointBlocks({
    store,
    keys,
    blockSize: config.blockSize,
    index: lookUp,
  });
  for (const disk of point.manifest.disks)
    await walkPage({ ...options, walk, blocks, name: disk.name }, fromHex(disk.root), LEVELS - 1);
  return walk;
}

interface Step extends WalkOptions {
  walk: Walk;
  blocks: PointBlocks;
  name: string;
}

/** Returns whether all below the page is well. */
async function walkPage(step: Step, id: Uint8Array, level: number): Promise<boolean> {
  if (isZeroId(id)) return true;
  const key = toHex(id);
  if (step.seen.has(key)) return true;
  if (!isThere(step, id, `a page of the map of ${step.name}`)) return false;
  throwIfAborted(step.signal);
  const page = await readPage(step, id);
  if (!page) return false;
  let well = true;
  for (let n = 0; n < PAGE_IDS; n++) {
    const child = page.subarray(n * ID_BYTES, (n + 1) * ID_BYTES);
    if (isZeroId(child)) continue;
    if (level === 0) {
      step.walk.blocks++;
      well = isThere(step, child, `a block of ${step.name}`) && well;
    } else well = (await walkPage(step, child, level - 1)) && well;
  }
  if (well) step.seen.add(key);
  return well;
}

function isThere({ index, badPacks, badIds, walk }: Step, id: Uint8Array, what: string): boolean {
  const locations = index.findAll(id);
  if (locations.length === 0) {
    walk.missing.push(`${what} is in no pack (id ${toHex(id).slice(0, 16)})`);
    return false;
  }
  // One good copy is enough: who reads tries them all.
  if (locations.some(({ pack }) => !badPacks.has(pack) && !badIds.has(badIdKey(pack, toHex(id))))) return true;
  for (const { pack } of locations) walk.packs.add(pack);
  return false;
}

async function readPage({ blocks, walk, name }: Step, id: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    return await blocks.readPage(id);
  } catch (error) {
    if (!isError(error, 'VAULT_DAMAGED', 'VAULT_KEY_WRONG')) throw error;
    walk.missing.push(`a page of the map of ${name} cannot be read: ${error.message}`);
    return undefined;
  }
}
