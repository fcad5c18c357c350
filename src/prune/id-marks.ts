import { VhdvaultError } from '../base/errors.ts';
import { hasBit, setBit } from './pack-table.ts';

/** Of all slots at most so many are taken. */
const LOAD = 0.85;
const LEAST = 16;

/**
 * The ids of the index whose first 32 bits lie in a range, which of them points need, and which of those were found a place for: 5
 * bytes an id. Made for a known number of ids, since growing would hold all of them twice.
 *
 * An id is told by its first 32 bits, which choose the slot, and the next 32, which lie in it. Two that are taken for one make a gc
 * keep too much, never too little: both count as needed where one is, and where one seems to lie in two packs, whole ids are compared
 * before one of these is given up. Ids are hashes, so their order is spread evenly; slots follow it, and who comes with sorted ids
 * goes through memory in one direction.
 */
export class IdMarks {
  readonly #low: number;
  readonly #high: number;
  readonly #scale: number;
  /** 0: free. */
  readonly #words: Uint32Array;
  readonly #needed: Uint8Array;
  readonly #placed: Uint8Array;
  #free: number;

  /** Ids from `low` up to, but not with, `high` (at most 2^32). */
  constructor(ids: number, low = 0, high: number = 2 ** 32) {
    const slots = slotsFor(ids);
    this.#low = low;
    this.#high = high;
    this.#scale = slots / (high - low);
    this.#words = new Uint32Array(slots);
    this.#needed = new Uint8Array(Math.ceil(slots / 8));
    this.#placed = new Uint8Array(Math.ceil(slots / 8));
    // One stays free: there a search ends.
    this.#free = slots - 1;
  }

  /** Adds the id at a byte offset, if it is of the range; not more than the table was made for. */
  add(view: DataView, at: number): void {
    const first = view.getUint32(at, false);
    if (first < this.#low || first >= this.#high) return;
    const word = view.getUint32(at + 4, false) || 1;
    const slot = this.#slotOf(first, word);
    if (this.#words[slot] !== 0) return;
    if (this.#free-- === 0) throw new VhdvaultError('BUG', `more ids came than ${this.#words.length} slots take`);
    this.#words[slot] = word;
  }

  /** Slot of the id at a byte offset; -1 where it is not in the table. */
  find(view: DataView, at: number): number {
    const first = view.getUint32(at, false);
    if (first < this.#low || first >= this.#high) return -1;
    const slot = this.#slotOf(first, view.getUint32(at + 4, false) || 1);
    return this.#words[slot] === 0 ? -1 : slot;
  }

  isInRange(view: DataView, at: number): boolean {
    const first = view.getUint32(at, false);
    return first >= this.#low && first < this.#high;
  }

  need(slot: number): void {
    setBit(this.#needed, slot);
  }

  isNeeded(slot: number): boolean {
    return slot >= 0 && hasBit(this.#needed, slot);
  }

  /** True the first time. */
  place(slot: number): boolean {
    return setBit(this.#placed, slot);
  }

  isPlaced(slot: number): boolean {
    return hasBit(this.#placed, slot);
  }

  #slotOf(first: number, word: number): number {
    const slots = this.#words.length;
    let slot = Math.floor((first - this.#low) * this.#scale);
    for (let found = this.#words[slot]; found !== 0 && found !== word; found = this.#words[slot])
      slot = slot + 1 === slots ? 0 : slot + 1;
    return slot;
  }
}

export function slotsFor(ids: number): number {
  return Math.max(LEAST, Math.ceil(ids / LOAD));
}
