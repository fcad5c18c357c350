import { bitmapCache } from '../../src/image/vhd/bitmap-cache.ts';
import { closeLayers, openChain } from '../../src/image/vhd/open-chain.ts';
import { locateInSteps, ZERO } from '../../src/image/vhd/pieces.ts';

const PIECE = 1024 * 1024;

/** Where in its file the stored bytes of an image lie, in pieces of at most 1 MiB: position and length in turn, in shared memory. */
export async function barePieces(image: string): Promise<Float64Array> {
  const { layers } = await openChain(image, {});
  const found: number[] = [];
  try {
    const chain = { layers, bitmaps: bitmapCache(layers) };
    for await (const pieces of locateInSteps(chain, 0, layers[0]?.size ?? 0)) {
      for (const { layer, position, length } of pieces) {
        if (layer === ZERO) continue;
        for (let at = 0; at < length; at += PIECE) found.push(position + at, Math.min(PIECE, length - at));
      }
    }
  } finally {
    await closeLayers(layers);
  }
  const shared = new Float64Array(new SharedArrayBuffer(found.length * 8));
  shared.set(found);
  return shared;
}
