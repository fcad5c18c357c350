import { throwIfAborted } from '../base/abort.ts';
import type { LocationTable } from '../cache/location-table.ts';
import type { BlockLocation } from '../vault/block-index.ts';
import { type CapturedPack, readCapturedPack } from '../vault/captured-pack.ts';
import type { Store } from '../vault/open-store.ts';
import type { VaultKeys } from '../vault/vault.ts';
import { addId, type IdFilter } from './id-filter.ts';

/*
 * What an interrupted run of the same job stored (J5): its packs are in the job's overlay before the scan begins, and so
 * the scan, which reads all sources again, finds their blocks there. One bit per frame tells what was used, counted once.
 */
export interface ReuseMemory {
  /** Name of a pack -> the bit of its first frame. */
  starts: ReadonlyMap<string, number>;
  used: Int32Array;
}

/** Nothing was interrupted. */
export const NO_REUSE: ReuseMemory = { starts: new Map(), used: new Int32Array(0) };

/** Puts the packs that are there and whole into the overlay; what is not is stored again. */
export async function reusePacks(
  options: { store: Store; keys: VaultKeys; job: string; signal: AbortSignal | undefined },
  names: readonly string[],
  { overlay, inOverlay }: { overlay: LocationTable; inOverlay: IdFilter },
): Promise<ReuseMemory> {
  const starts = new Map<string, number>();
  let frames = 0;
  for (const name of names) {
    throwIfAborted(options.signal);
    const pack = await readCapturedPack({ ...options, name });
    if (!pack) continue;
    starts.set(name, frames);
    frames += pack.entries.length;
    recordPack({ overlay, inOverlay }, pack);
  }
  return { starts, used: new Int32Array(new SharedArrayBuffer(Math.ceil(frames / 32) * 4)) };
}

/** Enters a pack's frames into an overlay: all or none of them. */
export function recordPack(
  { overlay, inOverlay }: { overlay: LocationTable; inOverlay: IdFilter },
  { name, size, entries }: CapturedPack,
): void {
  overlay.transaction(() => {
    const pack = overlay.addPack({ name, size, frames: entries.length });
    overlay.addBlocks(entries.map((entry, ordinal) => ({ ...entry, pack, ordinal })));
  });
  for (const { id } of entries) addId(inOverlay, id);
}

/** Takes the packs of which nothing was used out of the overlay, so that the point does not add them; returns how many. */
export function dropUnused({ starts, used }: ReuseMemory, overlay: LocationTable): number {
  const isUsed = (bit: number): boolean => ((used[bit >>> 5] as number) & (1 << (bit & 31))) !== 0;
  const unused = overlay.packs().filter(({ name, frames }) => {
    const start = starts.get(name);
    return start !== undefined && !Array.from({ length: frames }, (_, n) => start + n).some(isUsed);
  });
  overlay.transaction(() => overlay.removePacks(unused));
  return unused.length;
}

/** True the first time that a block which the interrupted run stored is used. */
export function isFirstReuse({ starts, used }: ReuseMemory, { pack, ordinal }: BlockLocation): boolean {
  const start = starts.get(pack);
  if (start === undefined) return false;
  const bit = start + ordinal;
  const mask = 1 << (bit & 31);
  return (Atomics.or(used, bit >>> 5, mask) & mask) === 0;
}
