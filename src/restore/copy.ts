import { died } from '../base/died.ts';
import { MIB } from '../base/units.ts';
import { type IndexAddress, openIndex } from '../cache/index-cache.ts';
import { PAGE_IDS } from '../disk/block-map.ts';
import type { ImagePlan } from '../image/image-plan.ts';
import { type ImageWriter, openImageWriter } from '../image/image-writer.ts';
import { PointBlocks } from '../point/point-blocks.ts';
import { PointDisk, type PointDiskFacts } from '../point/point-disk.ts';
import { shareOf, stopIfAsked, takeNext } from '../pool/common-queue.ts';
import { type RateLimit, waitForTurn } from '../pool/rate-limit.ts';
import { openStore, type StoreAddress } from '../vault/open-store.ts';
import type { VaultKeys } from '../vault/vault.ts';
import { watchReads } from '../vault/watched-store.ts';
import { type CopyField, type CopyMemory, count } from './copy-memory.ts';
import { type Lost, lostInto, nothingLost } from './lost.ts';

/** Bytes that a worker takes from the queue at a time (at least a block): read from the vault while those before are written. */
const UNIT: number = MIB;

/** Written bytes that are made durable while the next ones are written, and not all of them at the end. */
const SYNC: number = 64 * MIB;

/** What one worker of a restore needs to know. */
export interface CopyInput {
  worker: number;
  store: StoreAddress;
  keys: VaultKeys;
  index: IndexAddress;
  disk: PointDiskFacts;
  /** The image to write into: its file exists already. */
  path: string;
  plan: ImagePlan;
  /** Write zeros too: onto a device, or to take the space. */
  writeZeros: boolean;
  /** Write zeros for what cannot be read, and tell it. */
  bestEffort: boolean;
  /** 1 for each leaf page that held data when the image was planned: it has no room for what could not be read then. */
  holdsData: Uint8Array;
  /** Of what is read from the vault. */
  limit: RateLimit | null;
  memory: CopyMemory;
}

/**
 * One worker's share of a restore: takes segments of the disk from the common queue and writes their data at final
 * offsets. Ends early, with CANCELLED, when the stop word is set; sets it when it fails. Gives what it could not read.
 */
export function copy(input: CopyInput): Promise<Lost> {
  return shareOf(input.memory.queue, () => copyAll(input));
}

async function copyAll(input: CopyInput): Promise<Lost> {
  const { keys, index, memory, disk: facts, path, plan, holdsData } = input;
  const lost = nothingLost();
  const onLost = lostInto(lost, input.bestEffort);
  const store = watchReads(openStore(input.store), (bytes) =>
    waitForTurn(input.limit, bytes, () => stopIfAsked(memory.queue)),
  );
  const found = await openIndex(index, store, keys);
  const blocks = new PointBlocks({ store, keys, blockSize: facts.blockSize, index: found });
  await using disk = new PointDisk(facts, blocks, { onLost });
  await using writer = await openImageWriter(path, plan);
  const copier = new Copier(input, { disk, writer });
  const unit = Math.max(1, UNIT / facts.blockSize);
  const all = Math.ceil(facts.size / facts.blockSize);
  for (let first = takeNext(memory.queue) * unit; first < all; first = takeNext(memory.queue) * unit) {
    const count = Math.min(unit, all - first);
    const isData = holdsData[Math.floor(first / PAGE_IDS)] === 1;
    if (isData || input.writeZeros) await copier.copy(first, count, isData);
    else copier.skip(first, count);
  }
  await copier.finish();
  return lost;
}

/** Copies blocks, some at a time, which are written while the next ones are read. */
class Copier {
  readonly #input: CopyInput;
  readonly #disk: PointDisk;
  readonly #writer: ImageWriter;
  readonly #buffers: [Buffer, Buffer];
  #turn = 0;
  #writing: Promise<void> = Promise.resolve();
  #syncing: Promise<void> = Promise.resolve();
  #unsynced = 0;

  constructor(input: CopyInput, { disk, writer }: { disk: PointDisk; writer: ImageWriter }) {
    this.#input = input;
    this.#disk = disk;
    this.#writer = writer;
    const size = Math.max(UNIT, input.disk.blockSize);
    this.#buffers = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)];
  }

  /** Of blocks that are zeros, which a new image holds already. */
  skip(first: number, count: number): void {
    const length = this.#lengthOf(first, count);
    this.#count('skipped', length);
    this.#count('done', length);
  }

  async copy(first: number, count: number, holdsData: boolean): Promise<void> {
    const buffer = this.#buffers[this.#turn] as Buffer;
    this.#turn = 1 - this.#turn;
    const isData = new Array<boolean>(count).fill(false);
    if (holdsData) await this.#read(first, isData, buffer);
    if (this.#input.writeZeros) this.#addZeros(isData, buffer);
    await this.#writing;
    this.#writing = this.#write(first, isData, buffer);
    // What went wrong is thrown by the next one who waits.
    this.#writing.catch(() => undefined);
  }

  /** Waits for the last write, and makes all durable; the file is complete only if it succeeded. */
  async finish(): Promise<void> {
    await this.#writing;
    await this.#syncing;
    await this.#writer.sync();
  }

  /** Blocks die as soon as they are copied, and are let go of soon. */
  async #read(first: number, isData: boolean[], buffer: Buffer): Promise<void> {
    const { blockSize } = this.#input.disk;
    let read = 0;
    await this.#disk.readBlocks(first, isData.length, (block, raw) => {
      const n = block - first;
      isData[n] = true;
      if (!raw) return void buffer.fill(0, n * blockSize, (n + 1) * blockSize);
      buffer.set(raw, n * blockSize);
      read += this.#lengthOf(block);
      died(raw.byteLength);
    });
    this.#count('read', read);
  }

  #addZeros(isData: boolean[], buffer: Buffer): void {
    const { blockSize } = this.#input.disk;
    for (const [n, has] of isData.entries()) if (!has) buffer.fill(0, n * blockSize, (n + 1) * blockSize);
    isData.fill(true);
  }

  /** Neighbours in one go. */
  async #write(first: number, isData: readonly boolean[], buffer: Buffer): Promise<void> {
    const { blockSize } = this.#input.disk;
    for (let n = 0, end = 0; n < isData.length; n = end) {
      while (end < isData.length && isData[end] === isData[n]) end++;
      if (!isData[n]) {
        this.skip(first + n, end - n);
        continue;
      }
      const length = this.#lengthOf(first + n, end - n);
      await this.#put((first + n) * blockSize, buffer.subarray(n * blockSize, n * blockSize + length));
      this.#count('written', length);
      this.#count('done', length);
    }
  }

  async #put(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#writer.write(offset, bytes);
    this.#unsynced += bytes.byteLength;
    if (this.#unsynced < SYNC) return;
    this.#unsynced = 0;
    await this.#syncing;
    this.#syncing = this.#writer.sync();
    this.#syncing.catch(() => undefined);
  }

  /** The last block of a disk may be short. */
  #lengthOf(block: number, count = 1): number {
    const { size, blockSize } = this.#input.disk;
    return Math.min(count * blockSize, size - block * blockSize);
  }

  #count(field: CopyField, by: number): void {
    count(this.#input.memory, this.#input.worker, field, by);
  }
}
