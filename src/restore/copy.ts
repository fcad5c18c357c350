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
import { type Lost, lostInto, nothingLost } from './lost.ts';

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
  /** Write zeros for what cannot be read, and tell it. */
  bestEffort: boolean;
  /** 1 for each leaf page that could not be read when the image was planned: it has no room for what lies there. */
  lostLeaves: Uint8Array;
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
  const { keys, index, memory, disk: facts, path, plan } = input;
  const lost = nothingLost();
  const onLost = lostInto(lost, input.bestEffort);
  const store = openStore(input.store);
  const found = await openIndex(index, store, keys);
  const blocks = new PointBlocks({ store, keys, blockSize: facts.blockSize, index: found });
  await using disk = new PointDisk(facts, blocks, { onLost });
  await using writer = await openImageWriter(path, plan);
  const segment = PAGE_IDS * facts.blockSize;
  const copier = new Copier(input, { disk, writer, lost });
  for (let n = takeNext(memory.queue); n * segment < facts.size; n = takeNext(memory.queue)) {
    const offset = n * segment;
    const length = Math.min(segment, facts.size - offset);
    if (input.lostLeaves[n] === 1) await copier.extent({ offset, length, kind: 'zero' });
    else for await (const extent of disk.extents(offset, length)) await copier.extent(extent);
    count(memory, input.worker, 'done', length);
  }
  await copier.finish();
  await writer.sync();
  return lost;
}

/** Copies extents in chunks; a chunk is written while the next one is read. */
class Copier {
  readonly #input: CopyInput;
  readonly #disk: PointDisk;
  readonly #writer: ImageWriter;
  /** What the disk could not read so far. */
  readonly #lost: Lost;
  readonly #buffers: [Buffer, Buffer];
  readonly #chunkSize: number;
  #turn = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(input: CopyInput, { disk, writer, lost }: { disk: PointDisk; writer: ImageWriter; lost: Lost }) {
    this.#input = input;
    this.#disk = disk;
    this.#writer = writer;
    this.#lost = lost;
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
      const before = this.#lost.bytes;
      await this.#disk.read(offset, buffer);
      count(memory, worker, 'read', length - (this.#lost.bytes - before));
    }
    letGo();
    await this.#writing;
    this.#writing = this.#writer.write(offset, buffer).then(() => count(memory, worker, 'written', length));
    this.#writing.catch(() => undefined);
  }
}
