import { VhdvaultError } from '../base/errors.ts';

/*
 * Ids whose pack is not complete yet, in memory shared by all workers of a run, so that one run stores an id once
 * (P6). Open addressing with linear probing in 64 stripes, each under its own lock; a slot is 32 bytes of id beside a
 * state word. A full stripe answers "yours": the block is then stored twice, which is harmless.
 */
const STRIPES = 64;
const ID_BYTES = 32;
const FREE = 0;
const TAKEN = 1;
/** Ten seconds; the lock is held for microseconds. */
const LOCK_TRIES = 1000;

export interface ClaimMemory {
  /** Per stripe a lock word, then per slot a state word. */
  words: Int32Array;
  ids: Uint8Array;
}

/** Room for `capacity` ids at half load. */
export function createClaimMemory(capacity: number): ClaimMemory {
  const slots = STRIPES * 2 ** Math.ceil(Math.log2((capacity * 2) / STRIPES));
  return {
    words: new Int32Array(new SharedArrayBuffer((STRIPES + slots) * 4)),
    ids: new Uint8Array(new SharedArrayBuffer(slots * ID_BYTES)),
  };
}

export class Claims {
  readonly #words: Int32Array;
  readonly #ids: Uint8Array;
  readonly #perStripe: number;

  constructor({ words, ids }: ClaimMemory) {
    this.#words = words;
    this.#ids = ids;
    this.#perStripe = ids.byteLength / ID_BYTES / STRIPES;
  }

  /** True when the caller now stores this id; false when another has claimed it. */
  claim(id: Uint8Array): boolean {
    return this.#locked(id, (stripe) => {
      for (let n = 0; n < this.#perStripe; n++) {
        const slot = this.#slot(stripe, this.#home(id) + n);
        if (this.#words[STRIPES + slot] === FREE) {
          this.#ids.set(id, slot * ID_BYTES);
          this.#words[STRIPES + slot] = TAKEN;
          return true;
        }
        if (this.#holds(slot, id)) return false;
      }
      return true;
    });
  }

  release(id: Uint8Array): void {
    this.#locked(id, (stripe) => {
      for (let n = 0; n < this.#perStripe; n++) {
        const at = this.#home(id) + n;
        const slot = this.#slot(stripe, at);
        if (this.#words[STRIPES + slot] === FREE) return;
        if (this.#holds(slot, id)) return this.#close(stripe, at);
      }
    });
  }

  /** Frees a slot and moves back what probed past it, so that no chain breaks. */
  #close(stripe: number, at: number): void {
    let hole = at;
    for (let next = at + 1; next < at + this.#perStripe; next++) {
      const slot = this.#slot(stripe, next);
      if (this.#words[STRIPES + slot] === FREE) break;
      const id = this.#ids.subarray(slot * ID_BYTES, (slot + 1) * ID_BYTES);
      const distance = (next - this.#home(id) + this.#perStripe * 2) % this.#perStripe;
      if (distance < next - hole) continue;
      this.#ids.set(id, this.#slot(stripe, hole) * ID_BYTES);
      hole = next;
    }
    this.#words[STRIPES + this.#slot(stripe, hole)] = FREE;
  }

  #locked<T>(id: Uint8Array, work: (stripe: number) => T): T {
    const stripe = (id[0] as number) % STRIPES;
    for (let tries = 0; Atomics.compareExchange(this.#words, stripe, 0, 1) !== 0; tries++) {
      if (tries > LOCK_TRIES) throw new VhdvaultError('BUG', 'a worker died while it held a lock in shared memory');
      Atomics.wait(this.#words, stripe, 1, 10);
    }
    try {
      return work(stripe);
    } finally {
      Atomics.store(this.#words, stripe, 0);
      Atomics.notify(this.#words, stripe, 1);
    }
  }

  #home(id: Uint8Array): number {
    return (((id[1] as number) << 16) | ((id[2] as number) << 8) | (id[3] as number)) % this.#perStripe;
  }
  #slot(stripe: number, at: number): number {
    return stripe * this.#perStripe + (at % this.#perStripe);
  }
  #holds(slot: number, id: Uint8Array): boolean {
    return Buffer.compare(this.#ids.subarray(slot * ID_BYTES, (slot + 1) * ID_BYTES), id) === 0;
  }
}
