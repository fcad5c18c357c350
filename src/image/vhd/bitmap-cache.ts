import { MIB, SECTOR } from '../../base/units.ts';
import type { Layer } from './layer.ts';
import { uniformity } from './sector-bitmap.ts';

/** The sector bitmap of a stored block; uniform ones are words, which is nearly all of them and costs no memory. */
type KnownBitmap = Uint8Array | 'all' | 'none';

/** The bitmaps of all differencing images of a chain that were used last, bounded in bytes. */
export interface BitmapCache {
  get(level: number, block: number): KnownBitmap | undefined;
  load(level: number, block: number): Promise<KnownBitmap>;
}

const MOST_BYTES = 8 * MIB;
/** What an entry costs besides its bytes, roughly. */
const ENTRY_BYTES = 100;

export function bitmapCache(layers: readonly Layer[]): BitmapCache {
  const known = new Map<number, KnownBitmap>();
  let bytes = 0;
  const keyOf = (level: number, block: number): number => level * 2 ** 32 + block;
  const cost = (bitmap: KnownBitmap): number => ENTRY_BYTES + (typeof bitmap === 'string' ? 0 : bitmap.byteLength);
  const keep = (key: number, bitmap: KnownBitmap): void => {
    if (known.has(key)) return;
    known.set(key, bitmap);
    bytes += cost(bitmap);
    // A Map remembers the order of insertion: the oldest go first.
    for (const [oldest, value] of known) {
      if (bytes <= MOST_BYTES) break;
      known.delete(oldest);
      bytes -= cost(value);
    }
  };
  return {
    get: (level, block) => known.get(keyOf(level, block)),
    load: async (level, block) => {
      const bitmap = await readBitmap(layers[level]!, block);
      keep(keyOf(level, block), bitmap);
      return bitmap;
    },
  };
}

/** Reads one from the file. */
export async function readBitmap(layer: Layer, block: number): Promise<KnownBitmap> {
  const { bat, blockSize } = layer.blocks!;
  const bitmap = new Uint8Array(Math.ceil(blockSize / SECTOR / 8));
  await layer.source.read(bat[block]! * SECTOR, bitmap);
  const sectors = Math.min(blockSize, layer.size - block * blockSize) / SECTOR;
  return uniformity(bitmap, sectors) ?? bitmap;
}
