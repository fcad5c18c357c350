import { isError, VhdvaultError } from '../base/errors.ts';
import { type ChecksumTable, openTable } from '../cache/checksum-table.ts';
import { openIndex } from '../cache/index-cache.ts';
import { mapShape } from '../disk/block-map.ts';
import type { Disk, Generation } from '../disk/disk.ts';
import { PointBlocks } from '../point/point-blocks.ts';
import { shareOf, stopIfAsked, takeNext } from '../pool/common-queue.ts';
import { createBlockHasher } from '../vault/block-ids.ts';
import type { FinishedPack } from '../vault/block-writer.ts';
import { openStore } from '../vault/open-store.ts';
import { type BlockSink, noStore } from './block-store.ts';
import { LeafScanner, scanBuffers } from './leaf-scanner.ts';
import { openBlockStore } from './open-block-store.ts';
import type { OpenDisk, ScanDisk, ScanInput, ScanTools } from './scan-input.ts';
import { JOB_CLOSED, JOB_OPEN, JOB_WANTED, type ScanMemory } from './scan-memory.ts';

/**
 * One worker's share of a scan: takes leaf pages of all disks from the common queue until none is left, reads, hashes
 * and stores what the vault lacks. Ends early, with CANCELLED, when the stop word is set; sets it when it fails.
 * @throws SOURCE_CHANGED, NO_SPACE, IO, VHD_*
 */
export function scan(input: ScanInput, tools: ScanTools): Promise<FinishedPack | null> {
  return shareOf(input.memory.queue, () => scanAll(input, tools));
}

async function scanAll(input: ScanInput, { openDisk, random }: ScanTools): Promise<FinishedPack | null> {
  const { keys, blockSize } = input;
  const store = openStore(input.store);
  await using baseBlocks = new PointBlocks({
    store,
    keys,
    blockSize,
    index: await openIndex(input.index, store, keys),
  });
  const { write: writes, codec, index, memory } = input;
  const beforePublish = (): Promise<void> => jobIsOpen(memory);
  await using blocks = writes
    ? await openBlockStore({ store, keys, random, codec, index, memory, writes, kind: 'data', beforePublish })
    : noStore;
  try {
    await scanShare(input, { openDisk, baseBlocks, blocks });
  } catch (error) {
    if (isError(error, 'CANCELLED', 'SOURCE_CHANGED')) await blocks.keep();
    throw error;
  }
  // Awaited here: what `await using` holds is closed as soon as this function returns.
  return await blocks.finishShare();
}

async function scanShare(
  input: ScanInput,
  tools: { openDisk: OpenDisk; baseBlocks: PointBlocks; blocks: BlockSink },
): Promise<void> {
  const { memory, keys, blockSize, worker } = input;
  const { openDisk, baseBlocks, blocks } = tools;
  const hasher = createBlockHasher(keys);
  const buffers = scanBuffers(blockSize);
  await using disks = new OpenDisks(input, openDisk);
  for (let n = takeNext(memory.queue); n < memory.disks.length; n = takeNext(memory.queue)) {
    const number = memory.disks[n] as number;
    const { disk, table, baseTable, facts } = await disks.open(number);
    const row = { worker, disk: number };
    const scanner = new LeafScanner({
      memory,
      limit: input.limit,
      row,
      disk,
      facts,
      table,
      baseTable,
      baseBlocks,
      blocks,
      hasher,
      blockSize,
      buffers,
    });
    if (await scanner.scan(memory.leaves[n] as number)) await checkUnchanged(disk, facts);
  }
  stopIfAsked(memory.queue);
}

/** A disk of the run, open in this worker. */
interface WorkDisk {
  disk: Disk;
  table: ChecksumTable | undefined;
  baseTable: ChecksumTable | undefined;
  facts: ScanDisk;
}

/** The disks and tables that this worker has opened so far. */
class OpenDisks implements AsyncDisposable {
  readonly #input: ScanInput;
  readonly #openDisk: OpenDisk;
  readonly #open = new Map<number, WorkDisk>();

  constructor(input: ScanInput, openDisk: OpenDisk) {
    this.#input = input;
    this.#openDisk = openDisk;
  }

  async open(number: number): Promise<WorkDisk> {
    const known = this.#open.get(number);
    if (known) return known;
    const facts = this.#input.disks[number] as ScanDisk;
    const { blockSize } = this.#input;
    const disk = await openAgain(this.#openDisk, facts);
    const table = await openTable(facts.table, mapShape(facts.size, blockSize));
    const baseTable = facts.base ? await openTable(facts.base.table, mapShape(facts.base.size, blockSize)) : undefined;
    const opened = { disk, table, baseTable, facts };
    this.#open.set(number, opened);
    await checkUnchanged(disk, facts);
    return opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { disk, table, baseTable } of this.#open.values()) {
      await disk[Symbol.asyncDispose]();
      await table?.[Symbol.asyncDispose]();
      await baseTable?.[Symbol.asyncDispose]();
    }
  }
}

/** Asks the main thread to open the job in the log, once, and waits until it has (J1). */
async function jobIsOpen({ job }: ScanMemory): Promise<void> {
  if (Atomics.compareExchange(job, 0, JOB_CLOSED, JOB_WANTED) === JOB_CLOSED) Atomics.notify(job, 0);
  if (Atomics.load(job, 0) === JOB_WANTED) await Atomics.waitAsync(job, 0, JOB_WANTED).value;
  if (Atomics.load(job, 0) !== JOB_OPEN) throw new VhdvaultError('CANCELLED', 'cancelled: the job was not opened');
}

/** Opens a disk whose files were there when the run began. @throws SOURCE_CHANGED, and what opening throws */
export async function openAgain(
  openDisk: OpenDisk,
  { name, address }: Pick<ScanDisk, 'name' | 'address'>,
): Promise<Disk> {
  return await openDisk(address).catch((error: unknown) => {
    throw isError(error, 'NOT_FOUND', 'VHD_PARENT_MISSING') ? sourceChanged(name, address.path, error) : error;
  });
}

/**
 * Every file of the chain must still be the one that the run began with, bytes and all (S1).
 * @throws SOURCE_CHANGED
 */
export async function checkUnchanged(
  disk: Disk,
  facts: { name: string; generation: readonly Generation[] },
): Promise<void> {
  const now = await disk.generation();
  const changed = facts.generation.findIndex(({ path, stamp }, n) => now[n]?.path !== path || now[n]?.stamp !== stamp);
  if (changed < 0 && now.length === facts.generation.length) return;
  throw sourceChanged(facts.name, facts.generation[changed]?.path ?? 'its chain of images');
}

export function sourceChanged(disk: string, path: string, cause?: unknown): VhdvaultError {
  return new VhdvaultError('SOURCE_CHANGED', `disk ${disk} changed while it was read: ${path}`, {
    hint: 'back up a snapshot, or stop what writes to the disk (a running virtual machine, a merge of checkpoints), and run the backup again',
    details: { disk, path },
    cause,
  });
}
