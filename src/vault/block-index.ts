import { isError } from '../base/errors.ts';
import type { VaultKeys } from './crypto/keys.ts';
import { openSegment, type Segment, type SegmentPages } from './index/segment.ts';
import type { SegmentEntry } from './index/segment-layout.ts';
import type { Store } from './open-store.ts';

export { mergeSegments } from './index/merge-segments.ts';
export { openSegment, type Segment } from './index/segment.ts';
export { MAX_SEGMENT_ENTRIES, type SegmentEntry, type SegmentPack } from './index/segment-layout.ts';
export type { SegmentPage } from './index/segment-page.ts';
export { writeSegment } from './index/segment-writer.ts';
export { FRAME_KINDS } from './pack/frame.ts';

/** Where a block lies. */
export interface BlockLocation {
  /** Name of the pack, hex. */
  pack: string;
  offset: number;
  storedLength: number;
  ordinal: number;
  codec: number;
  kind: number;
}

/** Where the block of an id lies. */
export interface BlockIndex extends AsyncDisposable {
  /** One answer per id, in order; undefined where the vault has no such block that a new point may refer to. */
  find(ids: readonly Uint8Array[]): Promise<(BlockLocation | undefined)[]>;
  /**
   * All places of one block, also in packs that serve reads only, by the truth, the vault's own segments: where `find` had no or a wrong answer. Two runs at once
   * may store a block twice, and if one copy is damaged the other serves.
   */
  findAll(id: Uint8Array): Promise<BlockLocation[]>;
}

export function segmentPath(name: string): string {
  return `index/${name}`;
}

function locationOf(segment: Segment, entry: SegmentEntry): BlockLocation {
  const { offset, storedLength, ordinal, codec, kind } = entry;
  return { pack: segment.packs[entry.pack]?.name ?? '', offset, storedLength, ordinal, codec, kind };
}

/**
 * The index straight from the vault's segments, newest first: the truth, and what is left when there is no cache.
 * A segment that cannot be read is passed over: others may hold the id. Where none does, an I/O error is thrown: it is
 * no proof of absence.
 */
export async function openSegmentIndex(
  store: Store,
  keys: VaultKeys,
  names: readonly string[],
  unusable: readonly string[] = [],
): Promise<BlockIndex> {
  const isUnusable = new Set(unusable);
  const segments: Segment[] = [];
  const pages: SegmentPages = new Map();
  let trouble: unknown;
  const passOver = (error: unknown): undefined => {
    if (isError(error, 'IO')) trouble = error;
    else if (!isError(error, 'VAULT_DAMAGED', 'VAULT_NEWER')) throw error;
  };
  for (const name of names.toReversed()) {
    const segment = await openSegment(store, keys, segmentPath(name), pages).catch(passOver);
    if (segment) segments.push(segment);
  }
  const places = async function* (id: Uint8Array): AsyncGenerator<BlockLocation> {
    for (const segment of segments) {
      for (const entry of (await segment.findAll(id).catch(passOver)) ?? []) yield locationOf(segment, entry);
    }
  };
  const findUsable = async (id: Uint8Array): Promise<BlockLocation | undefined> => {
    for await (const place of places(id)) if (!isUnusable.has(place.pack)) return place;
    if (trouble !== undefined) throw trouble;
    return undefined;
  };
  return {
    async find(ids) {
      const found: (BlockLocation | undefined)[] = [];
      for (const id of ids) found.push(await findUsable(id));
      return found;
    },
    async findAll(id) {
      const found = await Array.fromAsync(places(id));
      if (found.length === 0 && trouble !== undefined) throw trouble;
      // What is condemned may be gone, what is quarantined be damaged: the others first.
      return found.sort((a, b) => Number(isUnusable.has(a.pack)) - Number(isUnusable.has(b.pack)));
    },
    async [Symbol.asyncDispose]() {
      for (const segment of segments) await segment[Symbol.asyncDispose]();
    },
  };
}
