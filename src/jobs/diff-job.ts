import { throwIfAborted } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import { fromHex } from '../base/hex.ts';
import { blocksPerCell, type ChangeTally, createTally } from '../disk/change-tally.ts';
import { compareMaps } from '../disk/changed-map.ts';
import { type CatalogPoint, findPoint } from '../point/catalog.ts';
import type { PointBlocks } from '../point/point-blocks.ts';
import type { ComparedPoint, DiffDisk, DiffOptions, DiffResult } from './diff-types.ts';
import { openBlocks } from './open-blocks.ts';
import { type DiskPair, pairDisks } from './pair-disks.ts';
import { damageWarnings } from './points.ts';
import { reading } from './reading.ts';
import type { VaultSession } from './session.ts';
import type { Progress } from './types.ts';

/** Slices of the strip, as a backup tells it. */
const SLICES = 64;

/**
 * The map of changed blocks between two points, of one item or of two. No data is read: blocks are compared by their
 * ids, and of the block maps only the pages that differ.
 * @throws NO_SUCH_ITEM, NO_SUCH_POINT, USAGE, DISK_SIZE, VAULT_DAMAGED, CANCELLED
 */
export async function diff(
  opened: VaultSession,
  refA: string,
  refB: string,
  options: DiffOptions = {},
): Promise<DiffResult> {
  throwIfAborted(options.signal);
  const session = await reading(opened);
  const [from, to] = [findPoint(session.vault, refA), findPoint(session.vault, refB)];
  const { pairs, warnings } = pairDisks(from, to, options.disk);
  const mustRead = options.cells !== undefined || pairs.some(({ before, after }) => before.root !== after.root);
  await using blocks = mustRead ? await openBlocks(session) : undefined;
  const progress = diffProgress(pairs, session.vault.clock, options.onProgress);
  const disks: DiffDisk[] = [];
  for (const [n, pair] of pairs.entries()) {
    disks.push(await diffDisk({ pair, blocks, options, onBytes: (done) => progress(n, done) }));
  }
  return { from: pointName(from), to: pointName(to), disks, warnings: [...warnings, ...damageWarnings(session)] };
}

async function diffDisk(work: {
  pair: DiskPair;
  blocks: PointBlocks | undefined;
  options: DiffOptions;
  onBytes: (done: number) => void;
}): Promise<DiffDisk> {
  const { pair, blocks, options, onBytes } = work;
  const { blockSize } = pair.after;
  const size = Math.max(pair.before.size, pair.after.size);
  const tally = createTally({ size, blockSize, slices: SLICES, cells: options.cells });
  if (blocks) {
    const maps = compareMaps({
      ...{ from: fromHex(pair.before.root), to: fromHex(pair.after.root), kept: options.cells !== undefined },
      readPages: (ids) => blocks.readPages(ids),
    });
    for await (const runs of maps) {
      throwIfAborted(options.signal);
      for (const run of runs) tally.add(run);
      const last = runs.at(-1)!;
      onBytes(Math.min(size, (last.block + last.blocks) * blockSize));
    }
  }
  onBytes(size);
  return diffDiskOf(pair, tally.result(), options.cells);
}

function diffDiskOf({ before, after }: DiskPair, tally: ChangeTally, cells: number | undefined): DiffDisk {
  const { ranges, blocks, bytes, strip } = tally;
  const { name, size, blockSize } = after;
  const total = Math.ceil(Math.max(before.size, size) / blockSize);
  const { rewritten, added, removed } = blocks;
  const cellBytes = blocksPerCell(total, cells ?? 0) * blockSize;
  return {
    ...{ name, size, blockSize },
    before: { name: before.name, size: before.size },
    changed: ranges,
    changedBytes: bytes.rewritten + bytes.added + bytes.removed,
    blocks: { total, changed: rewritten + added + removed, added, removed },
    strip,
    ...(cells !== undefined && { picture: { cellBytes, bytes, cells: tally.cells } }),
  };
}

function pointName({ id, time, manifest }: CatalogPoint): ComparedPoint {
  return { item: manifest.item, point: id, time: new Date(time).toISOString() };
}

/** At most about ten times a second, but the end of every disk. */
function diffProgress(
  pairs: readonly DiskPair[],
  clock: Clock,
  onProgress: ((progress: Progress) => void) | undefined,
): (n: number, done: number) => void {
  const disks = pairs.map(({ before, after }) => ({
    ...{ name: after.name, size: Math.max(before.size, after.size) },
    ...{ done: 0, read: 0, changed: 0, stored: 0 },
  }));
  const total = disks.reduce((sum, { size }) => sum + size, 0);
  let next = 0;
  return (n, done) => {
    const disk = disks[n]!;
    disk.done = done;
    if (done < disk.size && clock.monotonic() < next) return;
    next = clock.monotonic() + 100;
    const told = disks.map((one) => ({ ...one }));
    onProgress?.({ phase: 'reading', done: told.reduce((sum, one) => sum + one.done, 0), total, disks: told });
  };
}
