import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { isUnreadable, VhdvaultError } from '../base/errors.ts';
import type { Finding } from '../base/finding.ts';
import { fromHex, toHex } from '../base/hex.ts';
import { ID_BYTES, isZeroId, LEVELS, PAGE_BYTES, PAGE_IDS } from '../disk/block-map.ts';
import type { Disk, Extent, Generation } from '../disk/disk.ts';
import type { PointBlocks } from './point-blocks.ts';

/** What makes a disk of a point: facts of its manifest. */
export interface PointDiskFacts {
  size: number;
  blockSize: number;
  /** Hex. */
  root: string;
}

/** Told of a range that no copy in the vault gives. What it throws ends the read. */
export type OnLost = (range: { offset: number; length: number }, problem: VhdvaultError) => void;

/** Pages kept: 64 are 512 KiB and, at 128 KiB blocks, cover 2 GiB of disk. */
const PAGES_KEPT = 64;
const ZERO_PAGE = new Uint8Array(PAGE_BYTES);

/** Ids, or why they cannot be read. */
type Page = Uint8Array | VhdvaultError;

/**
 * A disk of a recovery point: reads descend the block map and unseal blocks. Restore, export, NBD and verify read through it.
 * Reads may run at the same time; closing waits for them, so that none opens a file that nobody closes. With `onLost`, what
 * cannot be read is zeros and told to it, as far as it was asked for; without, it is thrown.
 */
export class PointDisk implements Disk {
  readonly size: number;
  readonly format = 'point';
  readonly findings: readonly Finding[] = [];
  readonly #facts: PointDiskFacts;
  readonly #blocks: PointBlocks;
  readonly #onLost: OnLost | undefined;
  readonly #pages = new Map<string, Promise<Page>>();
  readonly #reads = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(facts: PointDiskFacts, blocks: PointBlocks, { onLost }: { onLost?: OnLost } = {}) {
    this.size = facts.size;
    this.#facts = facts;
    this.#blocks = blocks;
    this.#onLost = onLost;
  }

  async read(offset: number, target: Uint8Array, { signal }: Cancellable = {}): Promise<void> {
    throwIfAborted(signal);
    this.#checkRange(offset, target.byteLength);
    await this.#underWay(() => this.#fill(offset, target, signal));
  }

  /**
   * Gives the stored blocks of `[first, first + count)` to `sink`, in any order, each whole and to keep; null for one that is
   * lost. Zeros are not given, nor is what lies below a page that is lost.
   * @throws what `read` throws
   */
  async readBlocks(
    first: number,
    count: number,
    sink: (block: number, raw: Uint8Array | null) => void,
    { signal }: Cancellable = {},
  ): Promise<void> {
    throwIfAborted(signal);
    const offset = first * this.#facts.blockSize;
    const end = Math.min(this.size, offset + count * this.#facts.blockSize);
    this.#checkRange(offset, end - offset);
    await this.#underWay(() => this.#eachBlock(offset, end, sink, signal));
  }

  async *extents(
    offset = 0,
    length: number = this.size - offset,
    { signal }: Cancellable = {},
  ): AsyncGenerator<Extent> {
    this.#checkRange(offset, length);
    const { blockSize } = this.#facts;
    const end = offset + length;
    let open: Extent | undefined;
    for (let at = offset; at < end; ) {
      throwIfAborted(signal);
      const block = Math.floor(at / blockSize);
      const run = await this.#underWay(() => this.#run(block, Math.ceil(end / blockSize) - block));
      const next = Math.min(end, (block + run.blocks) * blockSize);
      if (run.problem) this.#onLost?.({ offset: at, length: next - at }, run.problem);
      if (open?.kind === run.kind) open.length += next - at;
      else {
        if (open) yield open;
        open = { offset: at, length: next - at, kind: run.kind };
      }
      at = next;
    }
    if (open) yield open;
  }

  /** A point never changes. */
  async generation({ signal }: Cancellable = {}): Promise<Generation[]> {
    throwIfAborted(signal);
    return [{ path: `point ${this.#facts.root}`, stamp: this.#facts.root }];
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#reads).then(() => this.#blocks[Symbol.asyncDispose]());
    return this.#closing;
  }

  #checkRange(offset: number, length: number): void {
    const end = offset + length;
    if (Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && end <= this.size) return;
    throw new VhdvaultError('DISK_RANGE', `bytes ${offset} to ${end} are not all on a disk of ${this.size}`, {
      details: { offset, expected: this.size, found: end },
    });
  }

  async #underWay<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing) {
      throw new VhdvaultError('USAGE', 'the disk is closed', { hint: 'close it after the last read' });
    }
    const read = work();
    this.#reads.add(read);
    try {
      return await read;
    } finally {
      this.#reads.delete(read);
    }
  }

  async #fill(offset: number, target: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const { blockSize } = this.#facts;
    target.fill(0);
    const sink = (block: number, raw: Uint8Array | null): void => {
      if (raw) copyOverlap(raw, block * blockSize, offset, target);
    };
    await this.#eachBlock(offset, offset + target.byteLength, sink, signal);
  }

  /** Blocks that share something with a range. */
  async #eachBlock(
    offset: number,
    end: number,
    sink: (block: number, raw: Uint8Array | null) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { blockSize } = this.#facts;
    const first = Math.floor(offset / blockSize);
    const lose = (block: number, count: number, problem: VhdvaultError): void => {
      const from = Math.max(offset, block * blockSize);
      this.#onLost?.({ offset: from, length: Math.min(end, (block + count) * blockSize) - from }, problem);
    };
    const ids = await this.#idsOf(first, Math.ceil(end / blockSize) - first, lose);
    const found: number[] = [];
    const wanted: Uint8Array[] = [];
    for (let n = 0; n * ID_BYTES < ids.byteLength; n++) {
      if (isZeroId(ids, n)) continue;
      found.push(first + n);
      wanted.push(ids.slice(n * ID_BYTES, (n + 1) * ID_BYTES));
    }
    const onLost =
      this.#onLost &&
      ((n: number, problem: VhdvaultError) => {
        lose(found[n] as number, 1, problem);
        sink(found[n] as number, null);
      });
    await this.#blocks.readData(wanted, (n, raw) => sink(found[n] as number, raw), { signal, onLost });
  }

  /**
   * The longest known run of blocks of one kind from `block`, at most `limit`. Whole empty leaves are skipped at once, as
   * are those that cannot be read.
   */
  async #run(
    block: number,
    limit: number,
  ): Promise<{ kind: 'data' | 'zero'; blocks: number; problem?: VhdvaultError }> {
    const leaf = await this.#page(0, Math.floor(block / PAGE_IDS));
    const first = block % PAGE_IDS;
    const rest = Math.min(limit, PAGE_IDS - first);
    if (isProblem(leaf)) return { kind: 'zero', blocks: rest, problem: leaf };
    if (leaf === ZERO_PAGE) return { kind: 'zero', blocks: rest };
    const zero = isZeroId(leaf, first);
    let blocks = 1;
    while (blocks < rest && isZeroId(leaf, first + blocks) === zero) blocks++;
    return { kind: zero ? 'zero' : 'data', blocks };
  }

  /** Zeros where a leaf is lost. */
  async #idsOf(
    first: number,
    count: number,
    lose: (block: number, count: number, problem: VhdvaultError) => void,
  ): Promise<Uint8Array> {
    const ids = new Uint8Array(count * ID_BYTES);
    for (let n = 0; n < count; ) {
      const leaf = await this.#page(0, Math.floor((first + n) / PAGE_IDS));
      const at = (first + n) % PAGE_IDS;
      const take = Math.min(PAGE_IDS - at, count - n);
      if (isProblem(leaf)) lose(first + n, take, leaf);
      else ids.set(leaf.subarray(at * ID_BYTES, (at + take) * ID_BYTES), n * ID_BYTES);
      n += take;
    }
    return ids;
  }

  /** Page `n` of a level, by way of the pages above it. */
  async #page(level: number, n: number): Promise<Page> {
    if (level === LEVELS - 1) return this.#fetch(fromHex(this.#facts.root));
    const parent = await this.#page(level + 1, Math.floor(n / PAGE_IDS));
    if (isProblem(parent)) return parent;
    const at = (n % PAGE_IDS) * ID_BYTES;
    return this.#fetch(parent.subarray(at, at + ID_BYTES));
  }

  #fetch(id: Uint8Array): Promise<Page> {
    if (isZeroId(id)) return Promise.resolve(ZERO_PAGE);
    const key = toHex(id);
    const known = this.#pages.get(key);
    const page = known ?? this.#read(id);
    this.#pages.delete(key);
    this.#pages.set(key, page);
    page.catch(() => this.#pages.delete(key));
    if (this.#pages.size > PAGES_KEPT) this.#pages.delete(this.#pages.keys().next().value as string);
    return page;
  }

  /** What is lost is kept like a page: what lies below a lost one is asked for many times. */
  async #read(id: Uint8Array): Promise<Page> {
    try {
      return await this.#blocks.readPage(id);
    } catch (error) {
      if (!this.#onLost || !isUnreadable(error)) throw error;
      return error;
    }
  }
}

function isProblem(page: Page): page is VhdvaultError {
  return !(page instanceof Uint8Array);
}

/** Copies what a block at `blockAt` shares with the target at `offset`. */
function copyOverlap(raw: Uint8Array, blockAt: number, offset: number, target: Uint8Array): void {
  const from = Math.max(blockAt, offset);
  const to = Math.min(blockAt + raw.byteLength, offset + target.byteLength);
  if (to > from) target.set(raw.subarray(from - blockAt, to - blockAt), from - offset);
}
