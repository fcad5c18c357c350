import { isError } from '../base/errors.ts';
import type { VaultKeys } from './crypto/keys.ts';
import { openSegment, type Segment } from './index/segment.ts';
import type { SegmentEntry } from './index/segment-layout.ts';
import type { Store } from './open-store.ts';

export { openSegment } from './index/segment.ts';
export type { SegmentEntry, SegmentPack } from './index/segment-layout.ts';
export { writeSegment } from './index/segment-writer.ts';

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
  /** One answer per id, in order; undefined where the vault has no such block. */
  find(ids: readonly Uint8Array[]): Promise<(BlockLocation | undefined)[]>;
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
 * A segment that cannot be read is passed over: others may hold the id.
 */
export async function openSegmentIndex(store: Store, keys: VaultKeys, names: readonly string[]): Promise<BlockIndex> {
  const segments: Segment[] = [];
  for (const name of names.toReversed()) {
    const segment = await openSegment(store, keys, segmentPath(name)).catch(passDamage);
    if (segment) segments.push(segment);
  }
  const findOne = async (id: Uint8Array): Promise<BlockLocation | undefined> => {
    for (const segment of segments) {
      const entry = await segment.find(id).catch(passDamage);
      if (entry) return locationOf(segment, entry);
    }
    return undefined;
  };
  return {
    async find(ids) {
      const found: (BlockLocation | undefined)[] = [];
      for (const id of ids) found.push(await findOne(id));
      return found;
    },
    async [Symbol.asyncDispose]() {
      for (const segment of segments) await segment[Symbol.asyncDispose]();
    },
  };
}

function passDamage(error: unknown): undefined {
  if (isError(error, 'VAULT_DAMAGED')) return undefined;
  throw error;
}
