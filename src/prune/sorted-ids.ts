import { asBuffer, equalBytes } from '../base/hex.ts';
import { ID_BYTES } from '../disk/block-map.ts';

/** Whole ids, and which of them were seen. */
export class SortedIds {
  readonly #ids: Uint8Array;
  readonly #order: Uint32Array;
  readonly #seen: Uint8Array;

  constructor(ids: Uint8Array) {
    const buffer = asBuffer(ids);
    const idAt = (n: number): Buffer => buffer.subarray(n * ID_BYTES, (n + 1) * ID_BYTES);
    this.#ids = ids;
    this.#order = Uint32Array.from({ length: ids.byteLength / ID_BYTES }, (_, n) => n);
    this.#order.sort((a, b) => idAt(a).compare(idAt(b)));
    this.#seen = new Uint8Array(this.#order.length);
  }

  has(id: Uint8Array): boolean {
    return this.#find(id) >= 0;
  }

  see(id: Uint8Array): void {
    const at = this.#find(id);
    if (at >= 0) this.#seen[at] = 1;
  }

  isSeen(id: Uint8Array): boolean {
    return this.#seen[this.#find(id)] === 1;
  }

  /** Place in the order of the first that is equal. */
  #find(id: Uint8Array): number {
    let [low, high] = [0, this.#order.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (Buffer.compare(this.#idAt(middle), id) < 0) low = middle + 1;
      else high = middle;
    }
    return low < this.#order.length && equalBytes(this.#idAt(low), id) ? low : -1;
  }

  #idAt(place: number): Uint8Array {
    const n = this.#order[place] as number;
    return this.#ids.subarray(n * ID_BYTES, (n + 1) * ID_BYTES);
  }
}
