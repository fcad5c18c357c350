import { VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { PAGE_BYTES } from '../disk/block-map.ts';
import type { BlockIndex, BlockLocation } from '../vault/block-index.ts';
import { BlockReader, type WantedBlock } from '../vault/block-reader.ts';
import type { Store } from '../vault/open-store.ts';
import type { VaultKeys } from '../vault/vault.ts';

/** Blocks and pages by id: look up, read, check. */
export class PointBlocks implements AsyncDisposable {
  readonly #index: BlockIndex;
  readonly #fallback: () => Promise<BlockIndex>;
  readonly #reader: BlockReader;
  readonly #blockSize: number;
  #truth: Promise<BlockIndex> | undefined;

  /** `fallback` opens the vault's own segments: asked where the index has no answer or a wrong one. */
  constructor(options: {
    store: Store;
    keys: VaultKeys;
    blockSize: number;
    index: BlockIndex;
    fallback: () => Promise<BlockIndex>;
  }) {
    this.#index = options.index;
    this.#fallback = options.fallback;
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
    await (await this.#truth)?.[Symbol.asyncDispose]();
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
      if ((error as VhdvaultError).code !== 'VAULT_DAMAGED') throw error;
    }
    this.#truth ??= this.#fallback();
    const found = await (await this.#truth).find(ids);
    const missing = found.indexOf(undefined);
    if (missing >= 0) {
      throw new VhdvaultError(
        'VAULT_DAMAGED',
        `block ${toHex(ids[missing] as Uint8Array).slice(0, 16)} is in no segment of the vault`,
        {
          hint: 'run `vhdvault verify` to see which points are hit',
        },
      );
    }
    await this.#reader.read(wanted(ids, found, rawLength), sink);
  }
}

function wanted(
  ids: readonly Uint8Array[],
  found: readonly (BlockLocation | undefined)[],
  rawLength: number,
): WantedBlock[] {
  return ids.map((id, n) => ({ id, location: found[n] as BlockLocation, rawLength }));
}
