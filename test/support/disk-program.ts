import fc from 'fast-check';
import { noise, text } from './vault-bench.ts';

/** What happens to a disk between two backups, as data. Positions and lengths are sectors. */
export type Step =
  | { do: 'write'; sector: number; count: number; seed: number; content: 'noise' | 'text' | 'zeros' }
  | { do: 'resize'; sectors: number }
  | { do: 'backup'; type: 'auto' | 'full' | 'incremental' };

export const SECTOR = 512;

export function applyStep(disk: Uint8Array, step: Step): Uint8Array {
  if (step.do === 'resize') {
    const resized = new Uint8Array(step.sectors * SECTOR);
    resized.set(disk.subarray(0, resized.byteLength));
    return resized;
  }
  if (step.do === 'backup') return disk;
  const start = Math.min(step.sector * SECTOR, disk.byteLength);
  const length = Math.min(step.count * SECTOR, disk.byteLength - start);
  const written = disk.slice();
  written.set(contentOf(step.content, length, step.seed), start);
  return written;
}

function contentOf(content: 'noise' | 'text' | 'zeros', length: number, seed: number): Uint8Array {
  switch (content) {
    case 'noise':
      return noise(length, seed);
    case 'text':
      return text(length, seed);
    case 'zeros':
      return new Uint8Array(length);
    default:
      return content satisfies never;
  }
}

/** Programs that end with a backup and have at least one before; sizes are seldom a multiple of the block size. */
export function diskPrograms(maxSectors: number, options: { resize?: boolean } = {}): fc.Arbitrary<Step[]> {
  const sector = fc.integer({ min: 0, max: maxSectors - 1 });
  const blockSectors = 32;
  const write: fc.Arbitrary<Step> = fc.record({
    do: fc.constant('write' as const),
    sector: fc.oneof(
      sector,
      sector.map((n) => n - (n % blockSectors)),
    ),
    count: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.constant(blockSectors), fc.integer({ min: 1, max: 200 })),
    seed: fc.integer({ min: 1, max: 6 }),
    content: fc.constantFrom('noise', 'text', 'zeros'),
  });
  const resize: fc.Arbitrary<Step> = fc.record({
    do: fc.constant('resize' as const),
    sectors: fc.integer({ min: 1, max: maxSectors }),
  });
  const make: fc.Arbitrary<Step> = fc.record({
    do: fc.constant('backup' as const),
    type: fc.constantFrom('auto', 'auto', 'full', 'incremental'),
  });
  const kinds = [
    { arbitrary: write, weight: 6 },
    { arbitrary: make, weight: 2 },
  ];
  if (options.resize) kinds.push({ arbitrary: resize, weight: 1 });
  return fc
    .array(fc.oneof(...kinds), { minLength: 1, maxLength: 10 })
    .map((steps) => [...steps, { do: 'backup', type: 'auto' }]);
}

/** Per-block counts by comparing bytes: the second opinion on what a backup counts. */
export function countChanges(
  before: Uint8Array | undefined,
  now: Uint8Array,
  blockSize: number,
): { blocks: number; bytes: number } {
  const counts = { blocks: 0, bytes: 0 };
  for (let at = 0; at < now.byteLength; at += blockSize) {
    const block = padded(now, at, blockSize);
    const old = before ? padded(before, at, blockSize) : new Uint8Array(blockSize);
    if (Buffer.compare(block, old) === 0) continue;
    counts.blocks++;
    counts.bytes += Math.min(blockSize, now.byteLength - at);
  }
  return counts;
}

/** The blocks of a disk that are not all zero, as text, each once. */
export function distinctBlocks(disk: Uint8Array, blockSize: number): Set<string> {
  const found = new Set<string>();
  for (let at = 0; at < disk.byteLength; at += blockSize) {
    const block = padded(disk, at, blockSize);
    if (block.some((byte) => byte !== 0)) found.add(Buffer.from(block).toString('latin1'));
  }
  return found;
}

function padded(disk: Uint8Array, at: number, blockSize: number): Uint8Array {
  const block = new Uint8Array(blockSize);
  block.set(disk.subarray(at, at + blockSize));
  return block;
}
