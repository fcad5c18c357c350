import type { LocationTable } from '../cache/location-table.ts';
import type { CatalogPoint } from '../point/catalog.ts';
import { PointBlocks } from '../point/point-blocks.ts';
import type { BlockIndex, BlockLocation } from '../vault/block-index.ts';
import type { Vault } from '../vault/vault.ts';
import type { Loss } from './loss.ts';
import { nothingSeen, walkPoint } from './walk-point.ts';

export interface CheckPointsOptions {
  vault: Vault;
  index: LocationTable;
  points: readonly CatalogPoint[];
  loss: Loss;
  signal?: AbortSignal | undefined;
  onPlace?: (place: BlockLocation) => void;
}

/** Looks up all that points need; what cannot be had goes to `loss`. Returns how many blocks were looked up. */
export async function checkPoints({ vault, points, loss, ...walk }: CheckPointsOptions): Promise<number> {
  const { store, keys, config } = vault;
  await using blocks = new PointBlocks({ store, keys, blockSize: config.blockSize, index: asIndex(walk.index) });
  const seen = nothingSeen();
  let count = 0;
  for (const point of points) {
    const name = `${point.manifest.item}@${point.id}`;
    count += await walkPoint({
      ...walk,
      ...{ point, blocks, seen },
      isLost: (place) => loss.isLost(place),
      onHit: (hit) => loss.hit(name, hit),
    });
  }
  return count;
}

function asIndex(index: LocationTable): BlockIndex {
  return {
    find: async (ids) => ids.map((id) => index.find(id)),
    findAll: async (id) => index.findAll(id),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
