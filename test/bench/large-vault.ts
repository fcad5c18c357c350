import { randomBytes } from 'node:crypto';
import { fromHex, toHex } from '../../src/base/hex.ts';
import { systemRandom } from '../../src/base/random.ts';
import { buildLevels, ID_BYTES, LEVELS, PAGE_BYTES, PAGE_IDS, pageOf } from '../../src/disk/block-map.ts';
import { encodeManifest } from '../../src/point/manifest.ts';
import { createBlockHasher } from '../../src/vault/block-ids.ts';
import { type SegmentEntry, segmentPath, writeSegment } from '../../src/vault/block-index.ts';
import { BlockWriter, type FinishedPack } from '../../src/vault/block-writer.ts';
import { createVault } from '../../src/vault/create-vault.ts';
import { openStore } from '../../src/vault/open-store.ts';
import { type Adds, openVault, type SecretBytes, type Vault } from '../../src/vault/vault.ts';

/*
 * A vault as it is after years, for measuring: many points of a few items, one of them with a huge disk. Ids of data blocks
 * are random and their packs are not there; all else is real: maps, meta packs, segments, the log.
 */

/** Entries of one segment, and blocks of a data pack of 32 MiB. */
const SEGMENT = 4_000_000;
const PACK_BLOCKS = 256;
const ITEMS = 10;
/** Points whose pages one job stores. */
const TOGETHER = 100;
const BLOCK = 128 * 1024;

export interface LargeVault {
  path: string;
  points: number;
  /** Blocks of data that the points need. */
  blocks: number;
  secret: SecretBytes;
}

export async function makeLargeVault({ path, points, blocks, secret }: LargeVault): Promise<void> {
  const store = openStore({ kind: 'folder', path });
  await createVault(store, { secret });
  const vault = await openVault(store, { secret });
  const hasher = createBlockHasher(vault.keys);
  const zeroOr = (page: Uint8Array): Uint8Array => hasher.page(page);
  const disks = await Promise.all(
    Array.from({ length: ITEMS }, async (_, n) => newDisk(n === 0 ? blocks : PAGE_IDS, hasher.page)),
  );
  const big = disks[0] as LargeDisk;
  await addData(vault, big.ids);
  let waiting: { item: number; root: Uint8Array; pages: number; size: number }[] = [];
  let fresh: { id: Uint8Array; page: Uint8Array }[] = pagesOf(big);
  for (const disk of disks.slice(1)) fresh.push(...pagesOf(disk));
  let newData: Uint8Array[] = disks.slice(1).map(({ ids }) => ids.slice());
  for (let n = 0; n < points; n++) {
    const item = n % ITEMS;
    const disk = disks[item] as LargeDisk;
    const changed = changeOne(disk, zeroOr);
    fresh.push(...changed.pages);
    newData.push(changed.id);
    waiting.push({ item, root: changed.root, pages: disk.leaves, size: disk.ids.byteLength / ID_BYTES });
    if (waiting.length < TOGETHER && n + 1 < points) continue;
    await commitTogether(vault, waiting, { fresh, newData });
    [waiting, fresh, newData] = [[], [], []];
  }
}

interface LargeDisk {
  ids: Uint8Array;
  levels: Uint8Array[];
  root: Uint8Array;
  leaves: number;
}

function newDisk(blocks: number, hash: (page: Uint8Array) => Uint8Array): LargeDisk {
  const ids = manyIds(blocks);
  const leaves = Math.ceil(blocks / PAGE_IDS);
  const leafIds = new Uint8Array(leaves * ID_BYTES);
  for (let n = 0; n < leaves; n++) leafIds.set(hash(pageOf(ids, n)), n * ID_BYTES);
  return { ids, leaves, ...buildLevels(leafIds, hash) };
}

/** An id is told by its first eight bytes, so that sorting is cheap. */
function manyIds(count: number): Uint8Array {
  const ids = new Uint8Array(count * ID_BYTES);
  for (let at = 0; at < count; ) {
    const some = Math.min(count - at, 1 << 20);
    const random = randomBytes(some * 8);
    for (let n = 0; n < some; n++, at++) ids.set(random.subarray(n * 8, n * 8 + 8), at * ID_BYTES);
  }
  return ids;
}

function pagesOf({ ids, levels, leaves }: LargeDisk): { id: Uint8Array; page: Uint8Array }[] {
  const pages: { id: Uint8Array; page: Uint8Array }[] = [];
  for (let level = 0; level < LEVELS; level++) {
    const own = levels[level] as Uint8Array;
    const below = level === 0 ? ids : (levels[level - 1] as Uint8Array);
    const count = level === 0 ? leaves : own.byteLength / ID_BYTES;
    for (let n = 0; n < count; n++)
      pages.push({ id: own.slice(n * ID_BYTES, (n + 1) * ID_BYTES), page: pageOf(below, n) });
  }
  return pages;
}

/** Another block at one place: one new page on each level. */
function changeOne(
  disk: LargeDisk,
  hash: (page: Uint8Array) => Uint8Array,
): { id: Uint8Array; root: Uint8Array; pages: { id: Uint8Array; page: Uint8Array }[] } {
  const block = Math.floor(Math.random() * (disk.ids.byteLength / ID_BYTES));
  const id = manyIds(1);
  disk.ids.set(id, block * ID_BYTES);
  const pages: { id: Uint8Array; page: Uint8Array }[] = [];
  let [below, n] = [disk.ids, block];
  for (let level = 0; level < LEVELS; level++) {
    n = Math.floor(n / PAGE_IDS);
    const page = pageOf(below, n);
    const pageId = hash(page);
    below = disk.levels[level] as Uint8Array;
    below.set(pageId, n * ID_BYTES);
    pages.push({ id: pageId, page });
  }
  return { id, root: below.slice(0, ID_BYTES), pages };
}

/** Segments over data packs that are not there. */
async function addData(vault: Vault, ids: Uint8Array): Promise<void> {
  const total = ids.byteLength / ID_BYTES;
  const job = newJob(vault);
  await vault.openJob(job, 'staging');
  const adds: Adds[] = [];
  for (let at = 0; at < total; at += SEGMENT) {
    const some = ids.subarray(at * ID_BYTES, Math.min(total, at + SEGMENT) * ID_BYTES);
    adds.push(await writeData(vault, job, some));
  }
  await vault.commitPoint({
    job,
    folder: 'staging',
    point: toHex(randomBytes(8)),
    adds,
    manifest: async () => manifestOf('data', { root: new Uint8Array(ID_BYTES), pages: 0, size: 1 }),
  });
}

async function writeData(vault: Vault, job: string, ids: Uint8Array): Promise<Adds> {
  const count = ids.byteLength / ID_BYTES;
  const keys = new Float64Array(count);
  const view = new DataView(ids.buffer, ids.byteOffset, ids.byteLength);
  for (let n = 0; n < count; n++) keys[n] = (view.getUint32(n * ID_BYTES) >>> 1) * 2 ** 22 + n;
  keys.sort();
  const packs = Array.from({ length: Math.ceil(count / PACK_BLOCKS) }, () => ({
    name: toHex(randomBytes(32)),
    size: 32 << 20,
    frames: PACK_BLOCKS,
  }));
  const sorted = Array.from(groupsOf(keys, ids));
  const entries = function* (): Generator<SegmentEntry> {
    for (const n of sorted) {
      const pack = Math.floor(n / PACK_BLOCKS);
      const ordinal = n % PACK_BLOCKS;
      const id = ids.subarray(n * ID_BYTES, (n + 1) * ID_BYTES);
      yield { id, pack, offset: 96 + ordinal * 131_000, storedLength: 131_000, ordinal, codec: 1, kind: 0 };
    }
  };
  return await addSegment(vault, job, { packs, entries: entries() });
}

/** Block numbers in the order of their ids: where the first 31 bits are equal the whole ids decide. */
function* groupsOf(keys: Float64Array, ids: Uint8Array): Generator<number> {
  const idOf = (n: number): Uint8Array => ids.subarray(n * ID_BYTES, (n + 1) * ID_BYTES);
  for (let at = 0; at < keys.length; ) {
    const word = Math.floor((keys[at] as number) / 2 ** 22);
    const group: number[] = [];
    while (at < keys.length && Math.floor((keys[at] as number) / 2 ** 22) === word)
      group.push((keys[at++] as number) % 2 ** 22);
    yield* group.sort((a, b) => Buffer.compare(idOf(a), idOf(b)));
  }
}

async function addSegment(
  vault: Vault,
  job: string,
  { packs, entries }: { packs: { name: string; size: number; frames: number }[]; entries: Iterable<SegmentEntry> },
): Promise<Adds> {
  const path = `staging/segment-${toHex(randomBytes(4))}`;
  const { store, keys } = vault;
  const { name, size } = await writeSegment({
    store,
    keys,
    random: systemRandom,
    job: fromHex(job),
    path,
    packs,
    entries,
  });
  await store.rename(path, segmentPath(name));
  return { segment: name, size, packs: packs.length, bytes: packs.reduce((sum, pack) => sum + pack.size, 0) };
}

async function commitTogether(
  vault: Vault,
  points: readonly { item: number; root: Uint8Array; pages: number; size: number }[],
  { fresh, newData }: { fresh: { id: Uint8Array; page: Uint8Array }[]; newData: Uint8Array[] },
): Promise<void> {
  const job = newJob(vault);
  await vault.openJob(job, 'staging');
  const packs = await writePages(vault, job, fresh);
  const names = packs.map(({ name, size, entries }) => ({ name, size, frames: entries.length }));
  const entries = packs
    .flatMap((pack, n) => pack.entries.map((entry, ordinal) => ({ ...entry, pack: n, ordinal })))
    .sort((a, b) => Buffer.compare(a.id, b.id))
    .filter(({ id }, n, all) => n === 0 || Buffer.compare((all[n - 1] as SegmentEntry).id, id) !== 0);
  const adds = [await addSegment(vault, job, { packs: names, entries })];
  adds.push(await writeData(vault, job, Buffer.concat(newData)));
  for (const [n, { item, ...facts }] of points.entries()) {
    const by = n === 0 ? job : newJob(vault);
    const manifest = manifestOf(`item${item}`, facts);
    const point = toHex(randomBytes(8));
    await vault.commitPoint({
      job: by,
      folder: 'staging',
      point,
      adds: n === 0 ? adds : [],
      manifest: async () => manifest,
    });
  }
}

async function writePages(
  vault: Vault,
  job: string,
  fresh: { id: Uint8Array; page: Uint8Array }[],
): Promise<FinishedPack[]> {
  const packs: FinishedPack[] = [];
  const { store, keys } = vault;
  const folder = `staging/AzureBackup-${job}`;
  await store.makeFolder(folder);
  const writer = new BlockWriter({
    ...{ store, keys, random: systemRandom, job: fromHex(job), codec: 'none', readBack: 'none', folder, run: 'bench' },
    ...{ kind: 'page', beforePublish: async () => undefined },
    onPack: async (pack) => void packs.push(pack),
  });
  for (const { id, page } of fresh) await writer.append(id, page.subarray(0, PAGE_BYTES));
  await writer.finish();
  await store.removeFolder(folder);
  return packs;
}

function newJob(vault: Vault): string {
  return toHex(vault.random.bytes(16));
}

function manifestOf(
  item: string,
  { root, pages, size }: { root: Uint8Array; pages: number; size: number },
): Uint8Array {
  const counts = { read: 9, changed: 1, stored: 1 };
  return encodeManifest({
    ...{ item, type: 'incremental', base: null, consistency: 'crash', started: Date.now(), tags: [], note: '' },
    ...{
      hooks: { outcome: 'none', output: '' },
      bootDisk: 'os',
      reason: 'compared with the latest point, by the checksum table',
    },
    disks: [
      {
        ...{
          name: 'os',
          size: size * BLOCK,
          blockSize: BLOCK,
          root: toHex(root),
          pages,
          blocks: counts,
          bytes: counts,
        },
        source: {
          address: `/vm/${item}/os.vhd`,
          format: 'vhd-dynamic',
          blockSize: 2 << 20,
          uniqueId: null,
          creator: 'qemu',
          parentRoots: [],
        },
      },
    ],
  });
}
