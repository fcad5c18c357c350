import { throwIfAborted } from '../base/abort.ts';
import { equalBytes } from '../base/hex.ts';
import { createBlockHasher } from './block-ids.ts';
import type { BlockLocation } from './block-index.ts';
import { damaged } from './codec/object-header.ts';
import type { VaultKeys } from './crypto/keys.ts';
import type { Store } from './open-store.ts';
import { FRAME_KINDS } from './pack/frame.ts';
import { openPack, type PackReader, packPath } from './pack/pack-reader.ts';

/** A block to read: what it must be, and where it lies. */
export interface WantedBlock {
  id: Uint8Array;
  location: BlockLocation;
  /** Length of the block before it was sealed. */
  rawLength: number;
}

/** Frames with at most this many bytes between them are read in one go. */
const GAP = 64 * 1024;
const RUN = 4 * 1024 * 1024;
/** The least recently used is closed first, but none that is being read. */
const OPEN_PACKS = 64;

interface OpenPack {
  reader: Promise<PackReader>;
  /** How many reads it serves right now. */
  reads: number;
}

/** Reads blocks by location; each is authentic and its id is recomputed before anybody sees it. */
export class BlockReader implements AsyncDisposable {
  readonly #store: Store;
  readonly #keys: VaultKeys;
  readonly #hasher: ReturnType<typeof createBlockHasher>;
  readonly #packs = new Map<string, OpenPack>();
  /** Memory of a read that is over, for the next one. */
  #spare: Buffer | undefined;

  constructor(store: Store, keys: VaultKeys) {
    this.#store = store;
    this.#keys = keys;
    this.#hasher = createBlockHasher(keys);
  }

  /**
   * Reads blocks in the order in which they lie in their packs, neighbours in one read, and hands each to `sink`, whose the
   * bytes are. Reads may run at the same time.
   * @throws VAULT_DAMAGED for the first block that is not what its id says; CANCELLED
   */
  async read(
    wanted: readonly WantedBlock[],
    sink: (n: number, raw: Uint8Array) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const order = wanted.map((_, n) => n).sort((a, b) => compare(wanted[a] as WantedBlock, wanted[b] as WantedBlock));
    for (const run of runsOf(wanted, order)) {
      throwIfAborted(signal);
      const pack = this.#lease((wanted[run[0] as number] as WantedBlock).location.pack);
      try {
        await this.#closeIdle();
        await this.#readRun(await pack.reader, wanted, run, sink);
      } finally {
        pack.reads--;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { reader } of this.#packs.values()) await (await reader.catch(() => undefined))?.[Symbol.asyncDispose]();
    this.#packs.clear();
  }

  async #readRun(
    pack: PackReader,
    wanted: readonly WantedBlock[],
    run: readonly number[],
    sink: (n: number, raw: Uint8Array) => void,
  ): Promise<void> {
    const first = wanted[run[0] as number] as WantedBlock;
    const last = wanted[run.at(-1) as number] as WantedBlock;
    const start = first.location.offset;
    const length = last.location.offset + last.location.storedLength - start;
    const memory = this.#takeSpare(length);
    const bytes = memory.subarray(0, length);
    await pack.readRange(start, bytes);
    for (const n of run) {
      const { id, location, rawLength } = wanted[n] as WantedBlock;
      const at = location.offset - start;
      const raw = pack.openFrame({ ...location, id, rawLength }, bytes.subarray(at, at + location.storedLength));
      const found = location.kind === FRAME_KINDS.data ? this.#hasher.data(raw) : this.#hasher.page(raw);
      if (!equalBytes(found, id))
        throw damaged(pack.path, `holds another block than its id says in frame ${location.ordinal}`);
      // Neither encrypted nor compressed, a block is a part of what was read.
      sink(n, raw.buffer === memory.buffer ? Uint8Array.from(raw) : raw);
    }
    this.#spare = memory;
  }

  #takeSpare(length: number): Buffer {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare && spare.byteLength >= length ? spare : Buffer.allocUnsafeSlow(Math.max(length, RUN));
  }

  /** Without a pause, so that two reads at once never open one pack twice. */
  #lease(name: string): OpenPack {
    let pack = this.#packs.get(name);
    if (pack) this.#packs.delete(name);
    else {
      const reader = openPack(this.#store, this.#keys, packPath(name));
      reader.catch(() => this.#packs.delete(name));
      pack = { reader, reads: 0 };
    }
    this.#packs.set(name, pack);
    pack.reads++;
    return pack;
  }

  async #closeIdle(): Promise<void> {
    for (const [name, { reader, reads }] of this.#packs) {
      if (this.#packs.size <= OPEN_PACKS) return;
      if (reads > 0) continue;
      this.#packs.delete(name);
      await (await reader)[Symbol.asyncDispose]();
    }
  }
}

function compare(a: WantedBlock, b: WantedBlock): number {
  if (a.location.pack !== b.location.pack) return a.location.pack < b.location.pack ? -1 : 1;
  return a.location.offset - b.location.offset;
}

/** Cuts a sorted order into runs of near neighbours in one pack. */
function* runsOf(wanted: readonly WantedBlock[], order: readonly number[]): Generator<number[]> {
  let run: number[] = [];
  let start = 0;
  let end = 0;
  for (const n of order) {
    const { pack, offset, storedLength } = (wanted[n] as WantedBlock).location;
    const previous = run.length > 0 ? (wanted[run[0] as number] as WantedBlock).location.pack : undefined;
    const joins = pack === previous && offset - end <= GAP && offset + storedLength - start <= RUN;
    if (!joins) {
      if (run.length > 0) yield run;
      run = [];
      start = offset;
    }
    run.push(n);
    end = Math.max(end, offset + storedLength);
  }
  if (run.length > 0) yield run;
}
