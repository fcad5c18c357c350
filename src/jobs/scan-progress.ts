import type { Field } from '../backup/scan-memory.ts';
import type { SourceDisk } from './source-disks.ts';
import type { Progress } from './types.ts';

/** Takes what a scan counts, and tells it on. */
export interface ScanProgress {
  counts: (counts: Record<Field, number>[]) => void;
  phase: (phase: Progress['phase']) => void;
}

/** Counters of a scan -> progress. */
export function scanProgress(
  sources: readonly SourceDisk[],
  onProgress: ((progress: Progress) => void) | undefined,
): ScanProgress {
  const total = sources.reduce((sum, { disk }) => sum + disk.size, 0);
  let phase: Progress['phase'] = 'reading';
  let last: Record<Field, number>[] = [];
  const tell = (): void => {
    const disks = sources.map(({ name, disk: { size } }, n) => {
      const counts = last[n];
      const { done = 0, readBytes: read = 0, changedBytes: changed = 0, storedBytes: stored = 0 } = counts ?? {};
      return { name, size, done: phase === 'reading' ? done : size, read, changed, stored };
    });
    onProgress?.({ phase, done: disks.reduce((sum, disk) => sum + disk.done, 0), total, disks });
  };
  return {
    counts(counts) {
      last = counts;
      tell();
    },
    phase(next) {
      phase = next;
      tell();
    },
  };
}
