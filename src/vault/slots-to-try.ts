import type { KdfCost } from './crypto/slot.ts';

/** A file of keys/ that could be a slot, before it was tried. */
export interface SlotFile {
  name: string;
  stored: Uint8Array;
  kdf: number;
  cost: KdfCost;
}

/** KiB of memory, as often as they are passed over: two slots at the caps, or 170 as `init` makes them. */
const MOST_WORK = 2 * 16 * 1024 * 1024;

/** Those of the names in keys/ that slots have; what else lies there is of strangers. */
export function slotNames(names: readonly string[]): string[] {
  return names.filter((name) => /^[0-9a-f]{16}$/.test(name));
}

/**
 * The order in which slots are tried: the cheapest first, and together no more than half a minute of work. Until one has
 * opened, nobody knows which are listed, and whoever can write to the folder could put dozens there that ask for 1 GiB.
 */
export function slotsToTry(slots: readonly SlotFile[]): SlotFile[] {
  const tried: SlotFile[] = [];
  let work = 0;
  for (const slot of slots.toSorted((a, b) => workOf(a.cost) - workOf(b.cost))) {
    work += workOf(slot.cost);
    if (work > MOST_WORK) break;
    tried.push(slot);
  }
  return tried;
}

function workOf({ memoryKiB, passes }: KdfCost): number {
  return memoryKiB * passes;
}
