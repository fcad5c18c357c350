import { throwIfAborted } from '../../base/abort.ts';
import { GIB, MIB, SECTOR } from '../../base/units.ts';
import { type BlockTable, UNALLOCATED } from './bat.ts';
import type { BitmapCache } from './bitmap-cache.ts';
import type { Layer } from './layer.ts';
import { endOfRun, hasSector } from './sector-bitmap.ts';

/** Nobody stores it: it reads as zeros. */
export const ZERO = -1;

/** A range of the disk and where its bytes are: in the file of `layer` (0 = the image itself) at `position`, or ZERO. */
export interface Piece {
  layer: number;
  offset: number;
  length: number;
  position: number;
}

export interface Chain {
  /** The image first, then its parent, and so on. */
  layers: readonly Layer[];
  bitmaps: BitmapCache;
}

/** Finds where the bytes of `[offset, end)` are, in order, neighbours joined. Both reads and extents come from here. */
export async function locate(chain: Chain, offset: number, end: number): Promise<Piece[]> {
  const out = { pieces: [], most: Number.POSITIVE_INFINITY };
  await descend(chain, 0, offset, end, out);
  return out.pieces;
}

/** A guest can make every second sector a piece: this many take 1 MiB. */
const MOST_PIECES = 2 ** 14;
/** Of the disk, looked at in one step: what is asked for lazily is computed lazily, and what is empty soon passed. */
const LEAST_STEP: number = 512 * MIB;
const MOST_STEP: number = 64 * GIB;

/** The same for a range of any length, a bounded number of pieces at a time; neighbours in different steps are not joined. */
export async function* locateInSteps(
  chain: Chain,
  offset: number,
  end: number,
  signal?: AbortSignal | undefined,
): AsyncGenerator<readonly Piece[]> {
  let step = LEAST_STEP;
  for (let at = offset; at < end; ) {
    throwIfAborted(signal);
    const out: Pieces = { pieces: [], most: MOST_PIECES };
    await descend(chain, 0, at, Math.min(end, at + step), out);
    yield out.pieces;
    const last = out.pieces[out.pieces.length - 1]!;
    at = last.offset + last.length;
    step = out.pieces.length > 1 ? LEAST_STEP : Math.min(step * 2, MOST_STEP);
  }
}

/** Found so far, from the beginning of the range without gaps. Once there are `most`, nothing more is looked for. */
interface Pieces {
  pieces: Piece[];
  most: number;
}

async function descend(chain: Chain, level: number, offset: number, end: number, out: Pieces): Promise<void> {
  const layer = chain.layers[level];
  // A parent smaller than its child: what lies beyond is zero, even if a grandparent is larger.
  if (!layer || offset >= layer.size) return push(out, ZERO, offset, end, 0);
  const inside = Math.min(end, layer.size);
  if (layer.blocks) await throughBlocks(chain, level, layer.blocks, offset, inside, out);
  else push(out, level, offset, inside, offset);
  if (inside < end && !isFull(out)) push(out, ZERO, inside, end, 0);
}

async function throughBlocks(
  chain: Chain,
  level: number,
  blocks: BlockTable,
  offset: number,
  end: number,
  out: Pieces,
): Promise<void> {
  const { bat, blockSize, bitmapBytes } = blocks;
  const layered = chain.layers[level]!.format === 'vhd-differencing';
  let at = offset;
  while (at < end && !isFull(out)) {
    const block = Math.floor(at / blockSize);
    const entry = bat[block]!;
    if (entry === UNALLOCATED) {
      let next = block + 1;
      while (next * blockSize < end && bat[next] === UNALLOCATED) next++;
      const stop = Math.min(end, next * blockSize);
      if (layered) await descend(chain, level + 1, at, stop, out);
      else push(out, ZERO, at, stop, 0);
      at = stop;
      continue;
    }
    const start = block * blockSize;
    const stop = Math.min(end, start + blockSize);
    const data = entry * SECTOR + bitmapBytes;
    const bitmap = layered ? (chain.bitmaps.get(level, block) ?? (await chain.bitmaps.load(level, block))) : 'all';
    if (bitmap === 'all') push(out, level, at, stop, data + at - start);
    else if (bitmap === 'none') await descend(chain, level + 1, at, stop, out);
    else await throughSectors(chain, level, bitmap, { at, start, stop, data }, out);
    at = stop;
  }
}

interface BlockRange {
  at: number;
  start: number;
  stop: number;
  /** Of the block's first data byte in the file. */
  data: number;
}

async function throughSectors(
  chain: Chain,
  level: number,
  bitmap: Uint8Array,
  range: BlockRange,
  out: Pieces,
): Promise<void> {
  const { start, stop, data } = range;
  const lastSector = Math.ceil((stop - start) / SECTOR);
  let at = range.at;
  while (at < stop && !isFull(out)) {
    const sector = Math.floor((at - start) / SECTOR);
    const runEnd = Math.min(stop, start + endOfRun(bitmap, sector, lastSector) * SECTOR);
    if (hasSector(bitmap, sector)) push(out, level, at, runEnd, data + at - start);
    else await descend(chain, level + 1, at, runEnd, out);
    at = runEnd;
  }
}

function isFull({ pieces, most }: Pieces): boolean {
  return pieces.length >= most;
}

function push(out: Pieces, layer: number, offset: number, end: number, position: number): void {
  const { pieces } = out;
  const last = pieces[pieces.length - 1];
  if (last && last.layer === layer && (layer === ZERO || last.position + last.length === position)) {
    last.length = end - last.offset;
  } else pieces.push({ layer, offset, length: end - offset, position });
}
