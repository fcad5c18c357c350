import { throwIfAborted } from '../base/abort.ts';
import { allOrFirstCause } from '../pool/all-or-first-cause.ts';
import type { FinishedPack } from '../vault/block-writer.ts';
import type { CaptureOptions } from './capture-options.ts';
import { JOB, JOB_CLOSED, JOB_FAILED, JOB_OPEN, JOB_WANTED, type ScanMemory, STOP, totals } from './scan-memory.ts';
import { scanTask } from './scan-task.ts';

/**
 * Runs one scan task per thread over the common queue; the job is opened in the log when the first pack is full. Returns
 * the small packs that the workers ended with, still in the staging location.
 */
export async function runScan(options: CaptureOptions, memory: ScanMemory): Promise<FinishedPack[]> {
  const { vault, pool, disks, job, folder, index, overlay, signal, onCounts } = options;
  throwIfAborted(signal);
  const stop = () => Atomics.store(memory.control, STOP, 1);
  signal?.addEventListener('abort', stop, { once: true });
  const ticking = setInterval(() => onCounts?.(disks.map((_, disk) => totals(memory, disk))), 100);
  const opener = openJobWhenWanted(options, memory);
  try {
    const { store, keys, config } = vault;
    const common = {
      ...{ store: store.address, keys, job: Buffer.from(job, 'hex'), folder, index, overlay, memory },
      ...{ blockSize: config.blockSize, codec: config.codec },
      disks: disks.map(({ base, ...disk }) => ({ ...disk, base: base && { size: base.size, table: base.table } })),
    };
    const task = scanTask({ openDisk: options.openDisk, random: vault.random });
    const runs = Array.from({ length: pool.threads }, (_, worker) => pool.run(task, { ...common, worker }));
    const tails = await allOrFirstCause([...runs, opener.after(runs)], stop);
    throwIfAborted(signal);
    return tails.filter((tail) => tail !== null);
  } finally {
    clearInterval(ticking);
    signal?.removeEventListener('abort', stop);
    await opener.after([]).catch(() => null);
  }
}

function openJobWhenWanted(
  { vault, job, folder }: CaptureOptions,
  { control }: ScanMemory,
): { after: (runs: readonly Promise<unknown>[]) => Promise<null> } {
  const tell = (state: number): void => {
    Atomics.store(control, JOB, state);
    Atomics.notify(control, JOB);
  };
  const work = (async () => {
    const waiting = Atomics.waitAsync(control, JOB, JOB_CLOSED);
    if (waiting.async) await waiting.value;
    if (Atomics.load(control, JOB) !== JOB_WANTED) return;
    try {
      await vault.openJob(job, folder);
      tell(JOB_OPEN);
    } catch (error) {
      Atomics.store(control, STOP, 1);
      tell(JOB_FAILED);
      throw error;
    }
  })();
  work.catch(() => undefined);
  return {
    /** Waits for the runs, then for the opening; its error tells more than the workers' "cancelled". */
    async after(runs) {
      await Promise.allSettled(runs);
      if (Atomics.compareExchange(control, JOB, JOB_CLOSED, JOB_FAILED) === JOB_CLOSED) Atomics.notify(control, JOB);
      await work;
      return null;
    },
  };
}
