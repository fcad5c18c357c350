import { runOnAll } from '../pool/run-on-all.ts';
import type { FinishedPack } from '../vault/block-writer.ts';
import type { CaptureOptions, ScanOptions } from './capture-options.ts';
import type { ScanWrites } from './scan-input.ts';
import { JOB_CLOSED, JOB_FAILED, JOB_OPEN, JOB_WANTED, type ScanMemory, totals } from './scan-memory.ts';
import { scanTask } from './scan-task.ts';

/**
 * Runs one scan task per thread over the common queue; the job is opened in the log when the first pack is full. Returns
 * the small packs that the workers ended with, still in the staging location.
 */
export async function runScan(options: ScanOptions | CaptureOptions, memory: ScanMemory): Promise<FinishedPack[]> {
  const { vault, pool, disks, index, limit, signal, onCounts } = options;
  const { store, keys, config } = vault;
  const tails = await runOnAll({
    ...{ pool, queue: memory.queue, signal },
    task: scanTask({ openDisk: options.openDisk, random: vault.random }),
    input: {
      ...{ store: store.address, keys, index, limit, memory, write: 'job' in options ? writesOf(options) : null },
      ...{ blockSize: config.blockSize, codec: config.codec },
      disks: disks.map(({ base, ...disk }) => ({ ...disk, base: base && { size: base.size, table: base.table } })),
    },
    onTick: () => onCounts?.(disks.map((_, disk) => totals(memory, disk))),
    ...('job' in options && {
      beside: (runs: readonly Promise<unknown>[]) => openJobWhenWanted(options, memory, runs),
    }),
  });
  return tails.filter((tail) => tail !== null);
}

/** Where what is new goes. */
export function writesOf({ job, folder, run, overlay }: CaptureOptions): ScanWrites {
  return { job: Buffer.from(job, 'hex'), folder, run, overlay };
}

/** Its error tells more than the "cancelled" of the workers that waited for it. */
async function openJobWhenWanted(
  { vault, job, folder }: CaptureOptions,
  memory: ScanMemory,
  runs: readonly Promise<unknown>[],
): Promise<void> {
  const state = memory.job;
  const tell = (word: number): void => {
    Atomics.store(state, 0, word);
    Atomics.notify(state, 0);
  };
  // When all workers have ended without asking, nobody will.
  const ended = Promise.allSettled(runs).then(() => {
    if (Atomics.compareExchange(state, 0, JOB_CLOSED, JOB_FAILED) === JOB_CLOSED) Atomics.notify(state, 0);
  });
  const waiting = Atomics.waitAsync(state, 0, JOB_CLOSED);
  if (waiting.async) await Promise.race([waiting.value, ended]);
  if (Atomics.load(state, 0) !== JOB_WANTED) return;
  try {
    await vault.openJob(job, folder);
    tell(JOB_OPEN);
  } catch (error) {
    tell(JOB_FAILED);
    throw error;
  }
}
