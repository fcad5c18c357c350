import { letGo } from '../base/let-go.ts';
import { MIB } from '../base/units.ts';
import { type IndexAddress, openIndex } from '../cache/index-cache.ts';
import { PAGE_IDS } from '../disk/block-map.ts';
import type { Extent } from '../disk/disk.ts';
import type { ImagePlan } from '../image/image-plan.ts';
import { type ImageWriter, openImageWriter } from '../image/image-writer.ts';
import { PointBlocks } from '../point/point-blocks.ts';
import { PointDisk, type PointDiskFacts } from '../point/point-disk.ts';
import { shareOf, stopIfAsked, takeNext } from '../pool/common-queue.ts';
import { openStore, type StoreAddress } from '../vault/open-store.ts';
import type { VaultKeys } from '../vault/vault.ts';
import { type CopyMemory, count } from './copy-memory.ts';

const CHUNK: number = MIB;

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
  memory: CopyMemory;
}

/**
 * One worker's share of a restore: takes segments of the disk from the common queue and writes their data at final
 * offsets. Ends early, with CANCELLED, when the stop word is set; sets it when it fails.
 */
export function copy(input: CopyInput): Promise<void> {
  return shareOf(input.memory.queue, () => copyAll(input));
}

async function copyAll(input: CopyInput): Promise<void> {
  const { keys, index, memory, disk: facts, path, plan } = input;
  const store = openStore(input.store);
  const found = await openIndex(index, store, keys);
  await using disk = new PointDisk(facts, new PointBlocks({ store, keys, blockSize: facts.blockSize, index: found }));
  await using writer = await openImageWriter(path, plan);
  const segment = PAGE_IDS * facts.blockSize;
  const copier = new Copier(input, disk, writer);
  for (let n = takeNext(memory.queue); n * segment < facts.size; n = takeNext(memory.queue)) {
    const length = Math.min(segment, facts.size - n * segment);
    for await (const extent of disk.extents(n * segment, length)) await copier.extent(extent);
    count(memory, input.worker, 'done', length);
  }
  await copier.finish();
  await writer.sync();
}

/** Copies extents in chunks; a chunk is written while the next one is read. */
class Copier {
  readonly #input: CopyInput;
  readonly #disk: PointDisk;
  readonly #writer: ImageWriter;
  readonly #buffers: [Buffer, Buffer];
  readonly #chunkSize: number;
  #turn = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(input: CopyInput, disk: PointDisk, writer: ImageWriter) {
    this.#input = input;
    this.#disk = disk;
    this.#writer = writer;
    // Whole blocks, so that none is opened twice.
    this.#chunkSize = Math.max(CHUNK, input.disk.blockSize);
    this.#buffers = [Buffer.alloc(this.#chunkSize), Buffer.alloc(this.#chunkSize)];
  }

  async extent({ offset, length, kind }: Extent): Promise<void> {
    const { writeZeros, memory, worker } = this.#input;
    if (kind === 'zero' && !writeZeros) return count(memory, worker, 'skipped', length);
    for (let done = 0; done < length; done += this.#chunkSize) {
      await this.#chunk(offset + done, Math.min(this.#chunkSize, length - done), kind);
    }
  }

  /** Waits for the last write; the file is complete only if it succeeded. */
  finish(): Promise<void> {
    return this.#writing;
  }

  async #chunk(offset: number, length: number, kind: Extent['kind']): Promise<void> {
    const { memory, worker } = this.#input;
    stopIfAsked(memory.queue);
    const buffer = (this.#buffers[this.#turn] as Buffer).subarray(0, length);
    this.#turn = 1 - this.#turn;
    if (kind === 'zero') buffer.fill(0);
    else {
      await this.#disk.read(offset, buffer);
      count(memory, worker, 'read', length);
    }
    letGo();
    await this.#writing;
    this.#writing = this.#writer.write(offset, buffer).then(() => count(memory, worker, 'written', length));
    this.#writing.catch(() => undefined);
  }
}
