import { isDeepStrictEqual } from 'node:util';
import { throwIfAborted } from '../base/abort.ts';
import { isError, isUnreadable, VhdvaultError } from '../base/errors.ts';
import { asBuffer, toHex } from '../base/hex.ts';
import { PAGE_BYTES } from '../disk/block-map.ts';
import type { BlockIndex, BlockLocation } from '../vault/block-index.ts';
import { BlockReader, type WantedBlock } from '../vault/block-reader.ts';
import type { Store } from '../vault/open-store.ts';
import type { VaultKeys } from '../vault/vault.ts';

/** How blocks are read. */
interface ReadOptions {
  signal?: AbortSignal | undefined;
  /** Told of each block that no copy gives, by its place among the ids; without it, the first one is thrown. */
  onLost?: ((n: number, problem: VhdvaultError) => void) | undefined;
}

type Sink = (n: number, raw: Uint8Array) => void;

/** Blocks and pages by id: look up, read, check. */
export class PointBlocks implements AsyncDisposable {
  readonly #index: BlockIndex;
  readonly #reader: BlockReader;
  readonly #blockSize: number;

  /** Owns the index. */
  constructor(options: {
    store: Store;
    keys: VaultKeys;
    blockSize: number;
    index: BlockIndex;
  }) {
    this.#index = options.index;
    this.#reader = new BlockReader(options.store, options.keys);
    this.#blockSize = options.blockSize;
  }

  async readPage(id: Uint8Array): Promise<Uint8Array> {
    return (await this.readPages([id]))[0] as Uint8Array;
  }

  /** In the order of the ids; neighbours in a pack are read in one go. */
  async readPages(ids: readonly Uint8Array[]): Promise<Uint8Array[]> {
    const pages: Uint8Array[] = new Array(ids.length);
    await this.#read(ids, PAGE_BYTES, (n, raw) => {
      pages[n] = raw;
    });
    return pages;
  }

  /**
   * Bytes that blocks or pages take in their packs, in the order of the ids; one copy where the vault has two.
   * @throws VAULT_DAMAGED when one is in no segment of the vault
   */
  async storedLengths(ids: readonly Uint8Array[]): Promise<number[]> {
    const lengths: number[] = new Array(ids.length);
    const order = sortedOrder(ids);
    const found = await this.#index.find(order.map((n) => ids[n] as Uint8Array));
    for (const [k, n] of order.entries()) {
      const id = ids[n] as Uint8Array;
      const location = found[k] ?? (await this.#index.findAll(id))[0];
      if (!location) throw inNoSegment(id);
      lengths[n] = location.storedLength;
    }
    return lengths;
  }

  /** Each block goes to `sink` once, in any order. @throws VAULT_DAMAGED, VAULT_NEWER, IO, CANCELLED */
  readData(ids: readonly Uint8Array[], sink: Sink, options: ReadOptions = {}): Promise<void> {
    return this.#read(ids, this.#blockSize, sink, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader[Symbol.asyncDispose]();
    await this.#index[Symbol.asyncDispose]();
  }

  /**
   * A location from the cache may be wrong; the vault's segments decide before anything is called damaged. One bad frame
   * fails the read of its neighbours: what did not come is read one by one.
   */
  async #read(
    ids: readonly Uint8Array[],
    rawLength: number,
    sink: Sink,
    { signal, onLost }: ReadOptions = {},
  ): Promise<void> {
    if (ids.length === 0) return;
    const missing = new Set(ids.keys());
    const take: Sink = (n, raw) => {
      missing.delete(n);
      sink(n, raw);
    };
    let found: (BlockLocation | undefined)[] = [];
    try {
      found = await this.#index.find(ids);
      if (found.every((location) => location !== undefined))
        return await this.#reader.read(wanted(ids, found, rawLength), take, signal);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
    }
    for (const n of missing) {
      throwIfAborted(signal);
      const block = { id: ids[n] as Uint8Array, known: found[n], rawLength };
      const problem = await this.#readAnywhere(block, (raw) => sink(n, raw));
      if (problem && !onLost) throw problem;
      if (problem) onLost?.(n, problem);
    }
  }

  /** Tries the place that is known, then every copy that the vault's own segments tell of; gives what is wrong with all of them. */
  async #readAnywhere(
    { id, known, rawLength }: { id: Uint8Array; known: BlockLocation | undefined; rawLength: number },
    sink: (raw: Uint8Array) => void,
  ): Promise<VhdvaultError | undefined> {
    let problem: VhdvaultError | undefined;
    const fails = async (work: () => Promise<void>): Promise<boolean> => {
      try {
        await work();
        return false;
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        // What could not be read may be whole: no other copy's damage is the last word on this block.
        if (!isError(problem, 'IO', 'NO_PERMISSION')) problem = error;
        return true;
      }
    };
    const read = (location: BlockLocation) => () =>
      this.#reader.read([{ id, location, rawLength }], (_, raw) => sink(raw));
    if (known && !(await fails(read(known)))) return undefined;
    let copies: BlockLocation[] = [];
    await fails(async () => {
      copies = await this.#index.findAll(id);
    });
    for (const location of copies) {
      if (!isDeepStrictEqual(location, known) && !(await fails(read(location)))) return undefined;
    }
    return problem ?? inNoSegment(id);
  }
}

function wanted(
  ids: readonly Uint8Array[],
  found: readonly (BlockLocation | undefined)[],
  rawLength: number,
): WantedBlock[] {
  return ids.map((id, n) => ({ id, location: found[n] as BlockLocation, rawLength }));
}

/** Neighbours share a page of the index: 65,536 ids in this order are found in half the time. At most 2^21. */
function sortedOrder(ids: readonly Uint8Array[]): number[] {
  const keys = Float64Array.from(ids, (id, n) => asBuffer(id).readUInt32BE(0) * 2 ** 21 + n);
  return Array.from(keys.sort(), (key) => key % 2 ** 21);
}

function inNoSegment(id: Uint8Array): VhdvaultError {
  return new VhdvaultError('VAULT_DAMAGED', `block ${toHex(id).slice(0, 16)} is in no segment of the vault`, {
    hint: 'run `vhdvault repair`: where the index is damaged it makes it anew from the packs, and nothing is lost by this alone; `vhdvault verify` tells which points are hit',
  });
}
