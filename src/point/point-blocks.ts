import { isError, VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
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
    let page: Uint8Array | undefined;
    await this.#read([id], PAGE_BYTES, (_, raw) => {
      page = raw;
    });
    return page as Uint8Array;
  }

  readData(ids: readonly Uint8Array[], sink: (n: number, raw: Uint8Array) => void): Promise<void> {
    return this.#read(ids, this.#blockSize, sink);
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
  ): Promise<void> {
    if (ids.length === 0) return;
    try {
      const found = await this.#index.find(ids);
      if (found.every((location) => location !== undefined))
        return await this.#reader.read(wanted(ids, found, rawLength), sink);
    } catch (error) {
      if (!isError(error, 'VAULT_DAMAGED', 'IO')) throw error;
    }
    for (const [n, id] of ids.entries()) await this.#readAnywhere(id, rawLength, (raw) => sink(n, raw));
  }

  /** Tries every copy that the vault's own segments tell of. */
  async #readAnywhere(id: Uint8Array, rawLength: number, sink: (raw: Uint8Array) => void): Promise<void> {
    let damage: unknown = new VhdvaultError(
      'VAULT_DAMAGED',
      `block ${toHex(id).slice(0, 16)} is in no segment of the vault`,
      {
        hint: 'run `vhdvault verify` to see which points are hit',
      },
    );
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
