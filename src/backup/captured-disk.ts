import type { BaseMap } from './base-map.ts';
import type { CapturedDisk, ScanOptions } from './capture-options.ts';
import { type ScanMemory, STRIP, totals } from './scan-memory.ts';
import type { WrittenMap } from './write-map.ts';

/** What the scan and the map of disk `n` came to. */
export function capturedDisk(
  { vault, disks }: ScanOptions,
  memory: ScanMemory,
  { n, base, map, wrongAt }: { n: number; base: BaseMap | undefined; map: WrittenMap; wrongAt: number | null },
): CapturedDisk {
  const counts = totals(memory, n);
  counts.storedBytes += map.stored;
  counts.reusedBytes += map.reused;
  counts.healedBlocks += map.healed;
  return {
    ...{ root: map.root, pages: map.pages, counts },
    strip: stripOf(memory, n, (disks[n]?.size ?? 0) / vault.config.blockSize),
    wrongAt,
    base: base
      ? { hasTable: base.hasTable, fromTable: base.fromTable, fromVault: base.fromVault + counts.fetchedPages }
      : null,
  };
}

function stripOf(memory: ScanMemory, disk: number, blocks: number): number[] {
  const blocksPerSlice = Math.max(1, blocks / STRIP);
  const counts = memory.strips.subarray(disk * STRIP, (disk + 1) * STRIP);
  return Array.from(counts, (changed) => Math.min(1, changed / blocksPerSlice));
}
