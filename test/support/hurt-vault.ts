import { VhdvaultError } from '../../src/base/errors.ts';
import { fromHex, toHex } from '../../src/base/hex.ts';
import { ID_BYTES, isZeroId, LEVELS, PAGE_IDS } from '../../src/disk/block-map.ts';
import { openBlocks } from '../../src/jobs/open-blocks.ts';
import { findPoint } from '../../src/point/catalog.ts';
import type { ManifestDisk } from '../../src/point/manifest.ts';
import type { PointBlocks } from '../../src/point/point-blocks.ts';
import { type BlockLocation, openSegmentIndex } from '../../src/vault/block-index.ts';
import type { Store, StoreAddress } from '../../src/vault/open-store.ts';
import { openMemoryStore, wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import type { VaultBench } from './vault-bench.ts';

export interface Range {
  offset: number;
  length: number;
}

/** The block map of a disk. */
export interface DiskMap {
  size: number;
  blockSize: number;
  /** Ids in hex, empty for zeros. */
  blocks: string[];
  /** With the range of the disk that each covers. */
  pages: ({ id: string; level: number } & Range)[];
}

/** The maps of an item's latest point, and where all that they name lies: to be read while the vault is whole. */
export async function readMaps(
  bench: VaultBench,
  item: string,
): Promise<{ disks: DiskMap[]; places: Map<string, BlockLocation[]> }> {
  await using session = await bench.open();
  const { store, keys, state } = session.vault;
  await using blocks = await openBlocks(session);
  const disks: DiskMap[] = [];
  for (const disk of findPoint(session.vault, item).manifest.disks) disks.push(await readMap(blocks, disk));
  const names = state.segments.map(({ segment }) => segment);
  await using index = await openSegmentIndex(store, keys, names);
  const places = new Map<string, BlockLocation[]>();
  for (const id of disks.flatMap((disk) => [...disk.pages.map((page) => page.id), ...disk.blocks]))
    if (id !== '') places.set(id, await index.findAll(fromHex(id)));
  return { disks, places };
}

async function readMap(blocks: PointBlocks, { size, blockSize, root }: ManifestDisk): Promise<DiskMap> {
  const map: DiskMap = { size, blockSize, blocks: new Array(Math.ceil(size / blockSize)).fill(''), pages: [] };
  const walk = async (id: string, level: number, n: number): Promise<void> => {
    const cover = blockSize * PAGE_IDS ** (level + 1);
    map.pages.push({ id, level, offset: n * cover, length: Math.min(cover, size - n * cover) });
    const page = await blocks.readPage(fromHex(id));
    for (let k = 0; k < PAGE_IDS; k++) {
      if (isZeroId(page, k)) continue;
      const below = toHex(page.subarray(k * ID_BYTES, (k + 1) * ID_BYTES));
      if (level === 0) map.blocks[n * PAGE_IDS + k] = below;
      else await walk(below, level - 1, n * PAGE_IDS + k);
    }
  };
  await walk(root, LEVELS - 1, 0);
  return map;
}

/** What of a disk must be lost when nothing gives these blocks and pages. */
export function lostWithout({ size, blockSize, blocks, pages }: DiskMap, isGone: (id: string) => boolean): Range[] {
  const lost = blocks.map((id) => id !== '' && isGone(id));
  for (const { id, offset, length } of pages) {
    if (isGone(id)) lost.fill(true, offset / blockSize, Math.ceil((offset + length) / blockSize));
  }
  const ranges: Range[] = [];
  for (const [n, isLost] of lost.entries()) {
    if (!isLost) continue;
    const length = Math.min(blockSize, size - n * blockSize);
    if (lost[n - 1]) ranges.at(-1)!.length += length;
    else ranges.push({ offset: n * blockSize, length });
  }
  return ranges;
}

/** Another object, or none, in place of one, until the end. */
export async function hurt(
  store: Store,
  path: string,
  change: (bytes: Uint8Array) => Uint8Array | undefined,
): Promise<AsyncDisposable> {
  const good = await store.get(path);
  const put = async (bytes: Uint8Array | undefined): Promise<void> => {
    await store.remove(path);
    if (!bytes) return;
    await using file = await store.create(path);
    await file.write([bytes]);
  };
  await put(change(Uint8Array.from(good)));
  return { [Symbol.asyncDispose]: () => put(good) };
}

/** Flips a bit of a byte. */
export function flipAt(at: number): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    bytes[at]! ^= 1;
    return bytes;
  };
}

/** Reads of a memory store throw what `fails` gives for them, until the end. */
export function failReads(
  address: StoreAddress,
  fails: (path: string, position: number, length: number) => Error | undefined,
): Disposable {
  if (address.kind !== 'memory') throw new Error('only a memory store can be wrapped');
  const { name } = address;
  const whole = openMemoryStore(name);
  wrapMemoryStore(name, (store) => ({
    ...store,
    open: async (path) => {
      const file = await store.open(path);
      return {
        ...file,
        read: async (position, target) => {
          const problem = fails(path, position, target.byteLength);
          if (problem) throw problem;
          await file.read(position, target);
        },
      };
    },
  }));
  return { [Symbol.dispose]: () => wrapMemoryStore(name, () => whole) };
}

/** Reading this object of a memory store whole throws, until the end. */
export function failGets(address: StoreAddress, path: string, problem: Error): Disposable {
  if (address.kind !== 'memory') throw new Error('only a memory store can be wrapped');
  const { name } = address;
  const whole = openMemoryStore(name);
  wrapMemoryStore(name, (store) => ({
    ...store,
    get: (read) => (read === path ? Promise.reject(problem) : store.get(read)),
  }));
  return { [Symbol.dispose]: () => wrapMemoryStore(name, () => whole) };
}

/** What a device answers that cannot read. */
export function ioFailure(hint = 'look at the device'): Error {
  return new VhdvaultError('IO', 'reading failed: EIO', { hint, details: { system: 'EIO' } });
}
