import { VhdvaultError } from '../base/errors.ts';
import { slotsFor } from './id-marks.ts';
import { setBit } from './pack-table.ts';

/** What is known of a page that a point reaches. */
export interface ReachedPage {
  level: number;
  /** Ordinal of the first point that reached it. */
  owner: number;
}

/** Facts of a page: 0 where the slot is free, KNOWN for one that is not reached; else also READ, the level, and the owner from 1. */
const KNOWN = 1;
const READ = 2;
const LEVEL = 4;
const OWNER = 16;
const WORDS = 3;

/**
 * The map pages of the index, and how far the walk of all maps is: which are reached, of what level they are, whose they are, and
 * whether they were read: 19 bytes a page. Two pages that were taken for one would make a gc keep too little: what is below the other
 * one would not be seen. So they are told apart by their first 128 bits, of which the first 32 choose the slot.
 */
export class PageMarks {
  readonly #words: Uint32Array;
  readonly #facts: Uint32Array;
  readonly #placed: Uint8Array;
  #free: number;
  /** Reached, and not read yet. */
  waiting = 0;

  constructor(pages: number) {
    const slots = slotsFor(pages);
    this.#words = new Uint32Array(WORDS * slots);
    this.#facts = new Uint32Array(slots);
    this.#placed = new Uint8Array(Math.ceil(slots / 8));
    this.#free = slots - 1;
  }

  /** Adds the page whose id is at a byte offset; not more than the table was made for. */
  add(view: DataView, at: number): void {
    const slot = this.#slotOf(view, at);
    if (this.#facts[slot] !== 0) return;
    if (this.#free-- === 0) throw new VhdvaultError('BUG', `more pages came than ${this.#facts.length} slots take`);
    for (let n = 0; n < WORDS; n++) this.#words[WORDS * slot + n] = view.getUint32(at + 4 * (n + 1), false);
    this.#facts[slot] = KNOWN;
  }

  /** Slot of the page whose id is at a byte offset; -1 where it is not in the table. */
  find(view: DataView, at: number): number {
    const slot = this.#slotOf(view, at);
    return this.#facts[slot] === 0 ? -1 : slot;
  }

  /** A point has this page. */
  reach(slot: number, level: number, owner: number): void {
    if (this.#facts[slot] !== KNOWN) return;
    this.#facts[slot] = (owner + 1) * OWNER + level * LEVEL + KNOWN;
    this.waiting++;
  }

  isReached(slot: number): boolean {
    return slot >= 0 && (this.#facts[slot] as number) > KNOWN;
  }

  isRead(slot: number): boolean {
    return slot >= 0 && ((this.#facts[slot] as number) & READ) !== 0;
  }

  isWaiting(slot: number): boolean {
    return this.isReached(slot) && !this.isRead(slot);
  }

  /** Of a page that is reached. */
  facts(slot: number): ReachedPage {
    const facts = this.#facts[slot] as number;
    return { level: Math.floor(facts / LEVEL) % (OWNER / LEVEL), owner: Math.floor(facts / OWNER) - 1 };
  }

  /** Of a page that is waiting. */
  setRead(slot: number): void {
    this.#facts[slot] = (this.#facts[slot] as number) + READ;
    this.waiting--;
  }

  /** The leaf pages are to be read once more, for the blocks of another range. */
  forgetLeaves(): void {
    for (let slot = 0; slot < this.#facts.length; slot++) {
      if (!this.isRead(slot) || this.facts(slot).level > 0) continue;
      this.#facts[slot] = (this.#facts[slot] as number) - READ;
      this.waiting++;
    }
  }

  /** Owners of pages that are waiting. */
  waitingOwners(): Set<number> {
    const owners = new Set<number>();
    for (let slot = 0; slot < this.#facts.length; slot++) if (this.isWaiting(slot)) owners.add(this.facts(slot).owner);
    return owners;
  }

  /** True the first time. */
  place(slot: number): boolean {
    return setBit(this.#placed, slot);
  }

  isPlaced(slot: number): boolean {
    return ((this.#placed[slot >>> 3] as number) & (1 << (slot & 7))) !== 0;
  }

  #slotOf(view: DataView, at: number): number {
    const slots = this.#facts.length;
    let slot = Math.floor((view.getUint32(at, false) * slots) / 2 ** 32);
    while (this.#facts[slot] !== 0 && !this.#isAt(slot, view, at)) slot = slot + 1 === slots ? 0 : slot + 1;
    return slot;
  }

  #isAt(slot: number, view: DataView, at: number): boolean {
    for (let n = 0; n < WORDS; n++)
      if (this.#words[WORDS * slot + n] !== view.getUint32(at + 4 * (n + 1), false)) return false;
    return true;
  }
}
