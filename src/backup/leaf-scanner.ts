import { equalBytes } from '../base/hex.ts';
import type { ChecksumTable } from '../cache/checksum-table.ts';
import { ID_BYTES, isZeroId, isZeroPage, PAGE_BYTES, PAGE_IDS } from '../disk/block-map.ts';
import type { Disk } from '../disk/disk.ts';
import type { PointBlocks } from '../point/point-blocks.ts';
import { stopIfAsked } from '../pool/common-queue.ts';
import { type RateLimit, waitForTurn } from '../pool/rate-limit.ts';
import type { BlockHasher } from '../vault/block-ids.ts';
import { readBaseLeaf } from './base-map.ts';
import type { BlockSink } from './block-store.ts';
import { CHUNK, planLeaf, type Run } from './plan-leaf.ts';
import type { ScanDisk } from './scan-input.ts';
import { count, type Field, type ScanMemory, STRIP } from './scan-memory.ts';

export interface LeafScannerOptions {
  memory: ScanMemory;
  limit: RateLimit | null;
  row: { worker: number; disk: number };
  disk: Disk;
  facts: ScanDisk;
  /** The new one; none in a preview. */
  table: ChecksumTable | undefined;
  baseTable: ChecksumTable | undefined;
  baseBlocks: PointBlocks;
  blocks: BlockSink;
  hasher: BlockHasher;
  blockSize: number;
  buffers: ScanBuffers;
}

/** A block that is not what the base has, or whose copy in the vault may be bad. */
interface FoundBlock {
  id: Uint8Array;
  raw: Buffer;
  isChanged: boolean;
}

/** The memory of one worker: of the two buffers one is worked on while the other is read. */
export interface ScanBuffers {
  pair: [Buffer, Buffer];
  zeros: Buffer;
}

export function scanBuffers(blockSize: number): ScanBuffers {
  const size = Math.max(CHUNK, blockSize);
  return { pair: [Buffer.alloc(size), Buffer.alloc(size)], zeros: Buffer.alloc(blockSize) };
}

/** Scans one leaf page of a disk (256 blocks): what is allocated, and not known, is read, hashed, compared with the base, stored. */
export class LeafScanner {
  readonly #options: LeafScannerOptions;

  constructor(options: LeafScannerOptions) {
    this.#options = options;
  }

  /** True when anything was read from the source. */
  async scan(leaf: number): Promise<boolean> {
    const { memory, row, disk, table, hasher, blockSize, facts } = this.#options;
    const base = await this.#basePage(leaf);
    const { read: runs, kept } = await planLeaf(disk, leaf, { ...facts, blockSize });
    if (runs.length + kept.length > 0) {
      const page = new Uint8Array(PAGE_BYTES);
      this.#keep(leaf, kept, { page, base });
      await this.#readRuns(runs, (run, bytes) => this.#scanRun(run, bytes, page, base));
      if (!isZeroPage(page)) {
        (memory.found[row.disk] as Uint8Array).set(hasher.page(page), leaf * ID_BYTES);
        await table?.writePage(0, leaf, page);
      }
    }
    this.#countVanished(leaf, runs, kept, base);
    const start = leaf * PAGE_IDS * blockSize;
    this.#count('done', Math.min(facts.size - start, PAGE_IDS * blockSize));
    return runs.length > 0;
  }

  async #basePage(leaf: number): Promise<Uint8Array> {
    const { memory, row, baseTable: table, baseBlocks: blocks, hasher } = this.#options;
    const leafIds = memory.base[row.disk] as Uint8Array;
    const { page, isFetched } = await readBaseLeaf(leaf, { leafIds, table, blocks, hasher, heals: memory.heals });
    if (isFetched) this.#count('fetchedPages', 1);
    return page;
  }

  /** Reads run by run, the next one while this one is worked on. */
  async #readRuns(runs: readonly Run[], work: (run: Run, bytes: Buffer) => Promise<void>): Promise<void> {
    let ahead = runs[0] ? this.#read(runs[0], 0) : undefined;
    try {
      for (const [n, run] of runs.entries()) {
        stopIfAsked(this.#options.memory.queue);
        const buffer = await (ahead as Promise<Buffer>);
        const following = runs[n + 1];
        ahead = following && this.#read(following, (n + 1) % 2);
        await work(run, buffer);
      }
    } finally {
      await ahead?.catch(() => undefined);
    }
  }

  /** The last block of a disk may be short: it is padded with zeros. */
  async #read(run: Run, turn: number): Promise<Buffer> {
    const { disk, blockSize, facts, buffers, limit, memory } = this.#options;
    const length = run.blocks * blockSize;
    const buffer = buffers.pair[turn] as Buffer;
    const inside = Math.min(length, facts.size - run.first * blockSize);
    if (inside < length) buffer.fill(0, inside, length);
    await waitForTurn(limit, inside, () => stopIfAsked(memory.queue));
    await disk.read(run.first * blockSize, buffer.subarray(0, inside));
    this.#count('readBytes', inside);
    this.#count('readBlocks', run.blocks);
    return buffer.subarray(0, length);
  }

  async #scanRun({ first, blocks }: Run, bytes: Buffer, page: Uint8Array, base: Uint8Array): Promise<void> {
    const { blockSize, blocks: sink } = this.#options;
    const found: FoundBlock[] = [];
    for (let k = 0; k < blocks; k++) {
      const block = this.#scanBlock(first + k, bytes.subarray(k * blockSize, (k + 1) * blockSize), page, base);
      if (block) found.push(block);
    }
    const isInVault = await sink.areInVault(found.map(({ id }) => id));
    for (const [n, block] of found.entries()) await this.#store(block, isInVault[n] as boolean);
  }

  /** The block, if it is to be stored. */
  #scanBlock(block: number, raw: Buffer, page: Uint8Array, base: Uint8Array): FoundBlock | undefined {
    const { hasher, buffers, memory } = this.#options;
    const at = (block % PAGE_IDS) * ID_BYTES;
    const baseId = base.subarray(at, at + ID_BYTES);
    if (raw.equals(buffers.zeros)) {
      if (!isZeroId(baseId)) this.#changed(block);
      return undefined;
    }
    const id = hasher.data(raw);
    page.set(id, at);
    const isChanged = !equalBytes(id, baseId);
    if (isChanged) this.#changed(block);
    return isChanged || memory.heals ? { id, raw, isChanged } : undefined;
  }

  async #store({ id, raw, isChanged }: FoundBlock, isInVault: boolean): Promise<void> {
    const { bytes, reused } = await this.#options.blocks.put(id, raw, isInVault);
    if (bytes === 0) return;
    if (!isChanged) this.#count('healedBlocks', 1);
    this.#count('storedBytes', bytes);
    this.#count('storedBlocks', 1);
    if (!reused) return;
    this.#count('reusedBytes', bytes);
    this.#count('reusedBlocks', 1);
  }

  /** Takes over what is known to be as it was. */
  #keep(leaf: number, kept: readonly number[], { page, base }: { page: Uint8Array; base: Uint8Array }): void {
    const { memory, row, blockSize, facts } = this.#options;
    for (const block of kept) {
      const at = (block % PAGE_IDS) * ID_BYTES;
      page.set(base.subarray(at, at + ID_BYTES), at);
      this.#count('keptBytes', Math.min(blockSize, facts.size - block * blockSize));
    }
    this.#count('keptBlocks', kept.length);
    (memory.kept[row.disk] as Uint32Array)[leaf] = kept.length;
  }

  /** Blocks of the base that are not allocated any more became zeros. */
  #countVanished(leaf: number, runs: readonly Run[], kept: readonly number[], base: Uint8Array): void {
    if (isZeroPage(base)) return;
    const read = new Set([
      ...runs.flatMap(({ first, blocks }) => Array.from({ length: blocks }, (_, n) => (first + n) % PAGE_IDS)),
      ...kept.map((block) => block % PAGE_IDS),
    ]);
    const { facts, blockSize } = this.#options;
    const blocks = Math.min(PAGE_IDS, Math.ceil(facts.size / blockSize) - leaf * PAGE_IDS);
    for (let n = 0; n < blocks; n++) if (!read.has(n) && !isZeroId(base, n)) this.#changed(leaf * PAGE_IDS + n);
  }

  #changed(block: number): void {
    const { memory, row, facts, blockSize } = this.#options;
    const start = block * blockSize;
    this.#count('changedBlocks', 1);
    this.#count('changedBytes', Math.min(blockSize, facts.size - start));
    const last = Math.ceil((Math.min(start + blockSize, facts.size) / facts.size) * STRIP) - 1;
    for (let slice = Math.floor((start / facts.size) * STRIP); slice <= last; slice++) {
      Atomics.add(memory.strips, row.disk * STRIP + slice, 1);
    }
  }

  #count(field: Field, by: number): void {
    count(this.#options.memory, this.#options.row, field, by);
  }
}
