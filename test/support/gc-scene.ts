import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { backup } from '../../src/jobs/backup-job.ts';
import { gc } from '../../src/jobs/gc-job.ts';
import type { GcOptions, GcResult } from '../../src/jobs/gc-types.ts';
import { openPoint } from '../../src/jobs/open-point.ts';
import type { SessionOptions, VaultSession } from '../../src/jobs/session.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { openSegment, segmentPath } from '../../src/vault/block-index.ts';
import { openStore, type Store, type StoreAddress } from '../../src/vault/open-store.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import type { EntryBody, LoggedPoint } from '../../src/vault/vault.ts';
import { type BenchOptions, noise, openBench, rawDisk, type VaultBench } from './vault-bench.ts';

export const BLOCK: number = 16 * 1024;
export const AT_ONCE: GcOptions = { softDelete: 0, grace: 0 };

/** A tiny vault whose points are known by their content. */
export interface GcScene {
  bench: VaultBench;
  /** What each point must restore to, whether or not it is forgotten; references. */
  disks: Map<string, Uint8Array>;
  /** Backs an item up: one letter for each block of its disk, a space for zeros. Gives the reference. */
  save(item: string, letters: string): Promise<string>;
  commit(body: EntryBody): Promise<void>;
  forget(...refs: string[]): Promise<void>;
  unforget(...refs: string[]): Promise<void>;
  gc(options?: GcOptions, parts?: SessionOptions): Promise<GcResult>;
  /** The points that can be had, by reference. */
  points(): Promise<Map<string, LoggedPoint>>;
  /** Every live point restores bit for bit, and the vault is whole. */
  check(): Promise<void>;
  /** Bytes of packs and segments. */
  size(): Promise<number>;
  /** Names of the packs that are there. */
  packs(): Promise<string[]>;
  /** Whoever opens the vault from now on gets its store wrapped; without a wrap, as it is. */
  wrap(wrap?: (store: Store) => Store): void;
}

export async function gcScene(folder: string, options: BenchOptions = {}): Promise<GcScene> {
  const bench = await openBench(folder, options);
  await mkdir(bench.folder, { recursive: true });
  return sceneIn(bench, new Map());
}

let clones = 0;

/** Another vault with the same content, which knows nothing of the first one; cheaper than to make it again. */
export async function cloned({ bench, disks }: GcScene): Promise<GcScene> {
  const address: StoreAddress = { kind: 'memory', name: `clone-${clones++}` };
  const store = openStore(address);
  for (const path of await everyPath(bench.store, '.')) {
    await using file = await store.create(path);
    await file.write([await bench.store.get(path)]);
  }
  const folder = join(bench.folder, `clone-${clones}`);
  await mkdir(folder);
  const places = { cache: join(folder, 'cache'), state: join(folder, 'state') };
  const copy: VaultBench = {
    ...{ ...bench, ...places, folder, store, storeAddress: address },
    open: (options = {}) => bench.open({ ...places, ...options, parts: { ...options.parts, store: address } }),
    async backup(item, its, options) {
      await using session = await copy.open();
      return await backup(session, item, its, options);
    },
    async verify(readData = false) {
      await using session = await copy.open();
      return await verify(session, { readData });
    },
  };
  return sceneIn(copy, new Map(disks));
}

function sceneIn(bench: VaultBench, disks: Map<string, Uint8Array>): GcScene {
  const scene: GcScene = {
    ...{ bench, disks },
    async save(item, letters) {
      const bytes = diskOf(letters);
      const { point } = await bench.backup(item, [await rawDisk(join(bench.folder, `${item}.raw`), bytes)]);
      disks.set(`${item}@${point}`, bytes);
      return `${item}@${point}`;
    },
    async commit(body) {
      await using session = await bench.open();
      await session.vault.commit(() => body);
    },
    forget: (...refs) => scene.commit({ type: 'forget', points: refs.map(idOf) }),
    unforget: (...refs) => scene.commit({ type: 'unforget', points: refs.map(idOf) }),
    async gc(how = AT_ONCE, parts = {}) {
      await using session = await bench.open(parts);
      return await gc(session, how);
    },
    async points() {
      await using session = await bench.open();
      const { points } = session.vault.state;
      return new Map(
        [...disks.keys()].flatMap((ref) => {
          const point = points.get(idOf(ref));
          return point ? [[ref, point] as const] : [];
        }),
      );
    },
    async check() {
      await using session = await bench.open();
      for (const [ref, point] of await scene.points())
        if (!point.forgotten) await checkPoint(session, ref, disks.get(ref)!);
      const { findings } = await bench.verify(true);
      expect(findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
    },
    async size() {
      let sum = 0;
      for (const path of await objects(bench.store)) sum += (await bench.store.size(path)) ?? 0;
      return sum;
    },
    packs: async () => (await objects(bench.store)).filter((path) => path.startsWith('packs/')),
    wrap(wrap = (store) => store) {
      if (bench.storeAddress.kind !== 'memory') throw new Error('only a memory store can be wrapped');
      wrapMemoryStore(bench.storeAddress.name, wrap);
    },
  };
  return scene;
}

async function everyPath(store: Store, folder: string): Promise<string[]> {
  const paths = (await store.list(folder)).map((name) => (folder === '.' ? name : `${folder}/${name}`));
  const found: string[] = [];
  for (const path of paths)
    found.push(...((await store.size(path)) === undefined ? await everyPath(store, path) : [path]));
  return found;
}

export function idOf(ref: string): string {
  return ref.slice(ref.indexOf('@') + 2);
}

/** Blocks of noise, one for each letter. */
export function diskOf(letters: string): Uint8Array {
  const bytes = new Uint8Array(letters.length * BLOCK);
  for (const [n, letter] of [...letters].entries())
    if (letter !== ' ') bytes.set(noise(BLOCK, letter.charCodeAt(0)), n * BLOCK);
  return bytes;
}

export async function checkPoint(session: VaultSession, ref: string, expected: Uint8Array): Promise<void> {
  await using disk = await openPoint(session, ref);
  const bytes = new Uint8Array(disk.size);
  await disk.read(0, bytes);
  expect(Buffer.compare(bytes, expected), ref).toBe(0);
}

/** Packs and segments. */
export async function objects(store: Store): Promise<string[]> {
  const paths = (await store.list('index')).map((name) => `index/${name}`);
  for (let n = 0; n < 256; n++) {
    const folder = `packs/${n.toString(16).padStart(2, '0')}`;
    paths.push(...(await store.list(folder)).map((name) => `${folder}/${name}`));
  }
  return paths;
}

/** What the live segments list, and how often; and what the log counts of it. */
export async function listed({ bench }: GcScene): Promise<{
  packs: Map<string, number>;
  entries: string[];
  counts: { packs: number; bytes: number };
  segments: number[];
}> {
  await using session = await bench.open();
  const { store, keys, state } = session.vault;
  const found = {
    packs: new Map<string, number>(),
    entries: [] as string[],
    counts: { packs: 0, bytes: 0 },
    segments: [] as number[],
  };
  for (const added of state.segments) {
    await using segment = await openSegment(store, keys, segmentPath(added.segment));
    for (const { name, size } of segment.packs) found.packs.set(name, size);
    for await (const page of segment.pages())
      for (const entry of page)
        found.entries.push(`${Buffer.from(entry.id).toString('hex')} ${segment.packs[entry.pack]!.name}`);
    found.counts.packs += added.packs;
    found.counts.bytes += added.bytes;
    found.segments.push(segment.entries);
  }
  found.entries.sort();
  return found;
}
