import { ID_BYTES } from '../disk/block-map.ts';

const FIRST_SLOTS = 1024;

/**
 * A number for each of many ids. A Map takes 150 bytes and more for an id; this takes 16 to 32: the 8.4 million ids of
 * 1 TiB of data are 192 MiB, and 96 MiB more while it grows to that. Without numbers it is two thirds of it.
 *
 * Ids are told apart by their first 64 bits. They are keyed hashes, so nobody can choose two that begin alike, and
 * among those of 1 TiB there is such a pair in one case of 500,000.
 */
export class IdTable {
  #size = 0;
  /** Two words for each slot, the beginning of an id; zeros where the slot is free. */
  #words = new Uint32Array(2 * FIRST_SLOTS);
  #numbers: Uint32Array;

  constructor(options: { numbers: boolean } = { numbers: true }) {
    this.#numbers = new Uint32Array(options.numbers ? FIRST_SLOTS : 0);
  }

  get size(): number {
    return this.#size;
  }

  /** The number of the `n`-th of `ids`; undefined where the table does not have it. */
  get(ids: Uint8Array, n = 0): number | undefined {
    const slot = this.#slotOf(wordAt(ids, n * ID_BYTES), wordAt(ids, n * ID_BYTES + 4));
    return this.#isFree(slot) ? undefined : (this.#numbers[slot] ?? 0);
  }

  /** The `n`-th of `ids` from now on has this number. True when the table did not have it before. */
  set(ids: Uint8Array, n = 0, number = 0): boolean {
    if (4 * this.#size >= 3 * (this.#words.length / 2)) this.#grow();
    return this.#put(wordAt(ids, n * ID_BYTES), wordAt(ids, n * ID_BYTES + 4), number);
  }

  *numbers(): Generator<number> {
    for (let slot = 0; slot < this.#numbers.length; slot++) {
      if (!this.#isFree(slot)) yield this.#numbers[slot] as number;
    }
  }

  #put(first: number, second: number, number: number): boolean {
    const slot = this.#slotOf(first, second);
    const isNew = this.#isFree(slot);
    if (isNew) {
      this.#words[2 * slot] = first;
      this.#words[2 * slot + 1] = second;
      this.#size++;
    }
    if (this.#numbers.length > 0) this.#numbers[slot] = number;
    return isNew;
  }

  /** Where the id is, or would be: the bits of a keyed hash need no hashing. */
  #slotOf(first: number, second: number): number {
    const mask = this.#words.length / 2 - 1;
    let slot = first & mask;
    while (!this.#isFree(slot) && (this.#words[2 * slot] !== first || this.#words[2 * slot + 1] !== second))
      slot = (slot + 1) & mask;
    return slot;
  }

  #isFree(slot: number): boolean {
    return this.#words[2 * slot] === 0 && this.#words[2 * slot + 1] === 0;
  }

  #grow(): void {
    const [words, numbers] = [this.#words, this.#numbers];
    this.#words = new Uint32Array(2 * words.length);
    this.#numbers = new Uint32Array(2 * numbers.length);
    this.#size = 0;
    for (let slot = 0; slot < words.length / 2; slot++) {
      const [first, second] = [words[2 * slot] as number, words[2 * slot + 1] as number];
      if (first !== 0 || second !== 0) this.#put(first, second, numbers[slot] ?? 0);
    }
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  const [a, b] = [bytes[at] as number, bytes[at + 1] as number];
  const [c, d] = [bytes[at + 2] as number, bytes[at + 3] as number];
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
}
