import { throwIfAborted } from '../base/abort.ts';
import { isError, VhdvaultError } from '../base/errors.ts';
import { asBuffer, toHex } from '../base/hex.ts';
import { PAGE_BYTES } from '../disk/block-map.ts';
import type { BlockIndex, BlockLocation } from '../vault/block-index.ts';
import { BlockReader, type WantedBlock } from '../vault/block-reader.ts';
import type { Store } from '../vault/open-store.ts';
import type { VaultKeys } from '../vault/vault.ts';

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

  readData(
    ids: readonly Uint8Array[],
    sink: (n: number, raw: Uint8Array) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    return this.#read(ids, this.#blockSize, sink, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader[Symbol.asyncDispose]();
    await this.#index[Symbol.asyncDispose]();
  }

  /** A location from the cache may be wrong; the vault's segments decide before anything is called damaged. */
  async #read(
    ids: readonly Uint8Array[],
    rawLength: number,
    sink: (n: number, raw: Uint8Array) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    if (ids.length === 0) return;
    try {
      const found = await this.#index.find(ids);
      if (found.every((location) => location !== undefined))
        return await this.#reader.read(wanted(ids, found, rawLength), sink, signal);
    } catch (error) {
      if (!isError(error, 'VAULT_DAMAGED', 'IO')) throw error;
    }
    for (const [n, id] of ids.entries()) {
      throwIfAborted(signal);
      await this.#readAnywhere(id, rawLength, (raw) => sink(n, raw));
    }
  }

  /** Tries every copy that the vault's own segments tell of. */
  async #readAnywhere(id: Uint8Array, rawLength: number, sink: (raw: Uint8Array) => void): Promise<void> {
    let damage: unknown = inNoSegment(id);
    for (const location of await this.#index.findAll(id)) {
      try {
        return await this.#reader.read([{ id, location, rawLength }], (_, raw) => sink(raw));
      } catch (error) {
        if (!isError(error, 'VAULT_DAMAGED', 'IO')) throw error;
        damage = error;
      }
    }
    throw damage;
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
    hint: 'run `vhdvault verify` to see which points are hit',
  });
}
