import { throwIfAborted } from '../../base/abort.ts';
import { KIB } from '../../base/units.ts';
import type { ByteSource } from '../../io/source.ts';
import type { Layer } from './layer.ts';
import { type Piece, ZERO } from './pieces.ts';

/** Gaps up to this are read and dropped: cheaper than another system call (bitmaps between blocks are 512 bytes). */
const MOST_GAP = 64 * KIB;
/** What nobody wants is read into here, by everybody at once; its content is never looked at. */
const trash: Uint8Array = new Uint8Array(MOST_GAP);
/** Linux takes at most 1024 buffers per preadv. */
const MOST_BUFFERS = 1024;

/**
 * Fills `target`, which stands for the disk from `offset`, with the bytes of `pieces`: as few preads as the places in the
 * files allow, straight into the target.
 */
export async function readPieces(read: {
  layers: readonly Layer[];
  pieces: readonly Piece[];
  offset: number;
  target: Uint8Array;
  signal?: AbortSignal | undefined;
}): Promise<void> {
  const { layers, pieces, offset, target } = read;
  const stored: Piece[] = [];
  for (const piece of pieces) {
    if (piece.layer === ZERO) target.fill(0, piece.offset - offset, piece.offset - offset + piece.length);
    else stored.push(piece);
  }
  if (stored.length > 1) stored.sort((a, b) => a.layer - b.layer || a.position - b.position);
  let from = 0;
  while (from < stored.length) {
    throwIfAborted(read.signal);
    const to = endOfGroup(stored, from);
    const source = layers[stored[from]!.layer]!.source;
    await readGroup(source, stored.slice(from, to), offset, target);
    from = to;
  }
}

/** Pieces that one preadv can read: one file, small gaps. */
function endOfGroup(pieces: readonly Piece[], from: number): number {
  let to = from + 1;
  while (to < pieces.length && (to - from) * 2 < MOST_BUFFERS - 2) {
    const last = pieces[to - 1]!;
    const next = pieces[to]!;
    if (next.layer !== last.layer || next.position - last.position - last.length > MOST_GAP) break;
    to++;
  }
  return to;
}

async function readGroup(source: ByteSource, group: Piece[], offset: number, target: Uint8Array): Promise<void> {
  const slice = (piece: Piece): Uint8Array =>
    target.subarray(piece.offset - offset, piece.offset - offset + piece.length);
  const first = group[0]!;
  if (group.length === 1) return await source.read(first.position, slice(first));
  const buffers: Uint8Array[] = [];
  let at = first.position;
  for (const piece of group) {
    if (piece.position > at) buffers.push(trash.subarray(0, piece.position - at));
    buffers.push(slice(piece));
    at = piece.position + piece.length;
  }
  const { bytesRead } = await source.handle.readv(buffers, first.position).catch(() => ({ bytesRead: 0 }));
  if (bytesRead === at - first.position) return;
  // Short or failed: one by one, which tells the exact place.
  for (const piece of group) await source.read(piece.position, slice(piece));
}
