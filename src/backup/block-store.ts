import type { LocationTable } from '../cache/location-table.ts';
import type { BlockIndex } from '../vault/block-index.ts';
import { BlockWriter, type BlockWriterOptions, type FinishedPack } from '../vault/block-writer.ts';
import type { Claims } from './claims.ts';
import { type IdFilter, mayHoldId } from './id-filter.ts';
import { isFirstReuse, type ReuseMemory, recordPack } from './reuse.ts';

/** What the point adds to the vault by one block, in bytes; `reused`: an interrupted run had stored it. */
export interface Stored {
  bytes: number;
  reused: boolean;
}

const NOTHING: Stored = { bytes: 0, reused: false };

/** What takes the changed blocks of a scan. */
export interface BlockSink extends AsyncDisposable {
  /** Which of these the vault has; asked for many at a time, since each look-up has its price. */
  areInVault(ids: readonly Uint8Array[]): Promise<boolean[]>;
  put(id: Uint8Array, raw: Uint8Array, isInVault: boolean): Promise<Stored>;
  /** Ends a worker's share: a last pack that is small stays in the staging location and is returned. */
  finishShare(): Promise<FinishedPack | null>;
  /** The run ends early: what is worth it is kept for the next one. */
  keep(): Promise<void>;
}

/** Of a preview, which stores nothing. */
export const noStore: BlockSink = {
  areInVault: async (ids) => ids.map(() => false),
  put: async () => NOTHING,
  finishShare: async () => null,
  keep: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
};

/**
 * Stores a block unless the vault or this run has it: claims, the job's overlay, the index, in this order (P6). Owns the
 * overlay and the index that it is given.
 */
export class BlockStore implements BlockSink {
  readonly #claims: Claims;
  readonly #overlay: LocationTable;
  readonly #inOverlay: IdFilter;
  readonly #index: BlockIndex;
  readonly #writer: BlockWriter;
  readonly #reuse: ReuseMemory;
  readonly #published: Int32Array;
  #finished = false;

  constructor(options: {
    claims: Claims;
    overlay: LocationTable;
    inOverlay: IdFilter;
    index: BlockIndex;
    reuse: ReuseMemory;
    /** One word: how many packs the run has published. */
    published: Int32Array;
    writer: Omit<BlockWriterOptions, 'onPack'>;
  }) {
    this.#claims = options.claims;
    this.#overlay = options.overlay;
    this.#inOverlay = options.inOverlay;
    this.#index = options.index;
    this.#reuse = options.reuse;
    this.#published = options.published;
    this.#writer = new BlockWriter({ ...options.writer, onPack: (pack) => this.#record(pack) });
  }

  async areInVault(ids: readonly Uint8Array[]): Promise<boolean[]> {
    if (ids.length === 0) return [];
    return (await this.#index.find(ids)).map((location) => location !== undefined);
  }

  async put(id: Uint8Array, raw: Uint8Array, isInVault: boolean): Promise<Stored> {
    if (!this.#claims.claim(id)) return NOTHING;
    const own = mayHoldId(this.#inOverlay, id) ? this.#overlay.find(id) : undefined;
    if (own || isInVault) {
      this.#claims.release(id);
      return own && isFirstReuse(this.#reuse, own) ? { bytes: own.storedLength, reused: true } : NOTHING;
    }
    return { bytes: await this.#writer.append(id, raw), reused: false };
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

  async finishShare(): Promise<FinishedPack | null> {
    const tail = await this.#writer.finishShare();
    this.#finished = true;
    return tail;
  }

  keep(): Promise<void> {
    return this.#writer.keep();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What cannot be removed goes with the staging location: the reason why nothing was finished must not be hidden.
    if (!this.#finished) await this.#writer.discard().catch(() => undefined);
    this.#overlay[Symbol.dispose]();
    await this.#index[Symbol.asyncDispose]();
  }

  /** An id enters the overlay before it leaves the claims, so that it is always in one of them. */
  async #record(pack: FinishedPack): Promise<void> {
    recordPack({ overlay: this.#overlay, inOverlay: this.#inOverlay }, pack);
    Atomics.add(this.#published, 0, 1);
    for (const { id } of pack.entries) this.#claims.release(id);
  }
}
