import { LocationTable } from '../cache/location-table.ts';
import type { BlockIndex } from '../vault/block-index.ts';
import { BlockWriter, type BlockWriterOptions, type FinishedPack } from '../vault/block-writer.ts';
import type { Claims } from './claims.ts';

/**
 * Stores a block unless the vault or this run has it: claims, the job's overlay, the index, in this order (P6). Owns the
 * index that it is given.
 */
export class BlockStore implements AsyncDisposable {
  readonly #claims: Claims;
  readonly #overlay: LocationTable;
  readonly #index: BlockIndex;
  readonly #writer: BlockWriter;
  #finished = false;

  constructor(options: {
    claims: Claims;
    overlay: string;
    index: BlockIndex;
    writer: Omit<BlockWriterOptions, 'onPack'>;
  }) {
    this.#claims = options.claims;
    this.#overlay = new LocationTable(options.overlay);
    this.#index = options.index;
    this.#writer = new BlockWriter({ ...options.writer, onPack: (pack) => this.#record(pack) });
  }

  /** Returns the bytes that were stored for it: 0 where it was there already. */
  async put(id: Uint8Array, raw: Uint8Array): Promise<number> {
    if (!this.#claims.claim(id)) return 0;
    const known = this.#overlay.find(id) ?? (await this.#index.find([id]))[0];
    if (known) {
      this.#claims.release(id);
      return 0;
    }
    return this.#writer.append(id, raw);
  }

  /** Stores the blocks of a small pack that lies in the staging location; they are claimed already. */
  join(tail: FinishedPack): Promise<void> {
    return this.#writer.join(tail);
  }

  /** Publishes the last pack. */
  async finish(): Promise<void> {
    await this.#writer.finish();
    this.#finished = true;
  }

  /** Ends a worker's share: a last pack that is small stays in the staging location and is returned. */
  async finishShare(): Promise<FinishedPack | null> {
    const tail = await this.#writer.finishShare();
    this.#finished = true;
    return tail;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What cannot be removed goes with the staging location: the reason why nothing was finished must not be hidden.
    if (!this.#finished) await this.#writer.discard().catch(() => undefined);
    this.#overlay[Symbol.dispose]();
    await this.#index[Symbol.asyncDispose]();
  }

  /** An id enters the overlay before it leaves the claims, so that it is always in one of them. */
  async #record({ name, size, entries }: FinishedPack): Promise<void> {
    this.#overlay.transaction(() => {
      const pack = this.#overlay.addPack({ name, size, frames: entries.length });
      this.#overlay.addBlocks(entries.map((entry, ordinal) => ({ ...entry, pack, ordinal })));
    });
    for (const { id } of entries) this.#claims.release(id);
  }
}
