import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import { restore } from '../../src/jobs/restore-job.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import type { VerifyResult } from '../../src/jobs/verify-types.ts';
import { catalog } from '../../src/point/catalog.ts';
import { openSegment } from '../../src/vault/block-index.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import { checkPack } from '../../src/vault/check-pack.ts';
import type { Store } from '../../src/vault/open-store.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, text, type VaultBench } from '../support/vault-bench.ts';

async function putBytes(store: Store, path: string, bytes: Uint8Array): Promise<void> {
  await using file = await store.create(path);
  await file.write([bytes]);
}

const folder = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;

/** What lies where in the vault of these tests. Items: a with points 1 and 2, b with one; b shares nothing with a. */
interface Scene {
  bench: VaultBench;
  disks: Map<string, Uint8Array>;
  /** Objects by content: the points that need them. */
  packs: Map<string, Set<string>>;
  segments: string[];
}

let scene: Scene;

beforeAll(async () => {
  const bench = await openBench(folder.fresh('verify'), { encrypted: true });
  await mkdir(bench.folder, { recursive: true });
  const disks = new Map<string, Uint8Array>();
  const save = async (item: string, bytes: Uint8Array): Promise<void> => {
    const { point } = await bench.backup(item, [await rawDisk(join(bench.folder, item), bytes)]);
    disks.set(`${item}@${point}`, bytes);
  };
  const first = noise(30 * BLOCK, 1);
  const second = Uint8Array.from(first);
  second.set(noise(4 * BLOCK, 2), 3 * BLOCK);
  await save('a', first);
  await save('a', second);
  await save('b', text(10 * BLOCK, 3));
  scene = { bench, disks, ...(await readVault(bench, disks)) };
});

/** Which point needs which pack, found by taking each pack away in turn: a second opinion on what verify says. */
async function readVault(
  bench: VaultBench,
  disks: Map<string, Uint8Array>,
): Promise<Pick<Scene, 'packs' | 'segments'>> {
  await using session = await bench.open();
  const { store, keys, state } = session.vault;
  const segments = state.segments.map(({ segment }) => segment);
  const packs = new Map<string, Set<string>>();
  for (const name of segments) {
    await using segment = await openSegment(store, keys, `index/${name}`);
    for (const pack of segment.packs) packs.set(pack.name, new Set());
  }
  for (const [name, hit] of packs) {
    await store.rename(packPath(name), 'aside');
    for (const [point, bytes] of disks) {
      const whole = await bench.restored(point).then(
        (found) => Buffer.compare(found, bytes) === 0,
        () => false,
      );
      if (!whole) hit.add(point);
    }
    await store.rename('aside', packPath(name));
  }
  return { packs, segments };
}

/** Runs `check` with an object damaged, and mends it afterwards. */
async function withDamage(path: string, damaged: Uint8Array | undefined, check: () => Promise<void>): Promise<void> {
  const { store } = scene.bench;
  const good = await store.get(path);
  const put = async (bytes: Uint8Array | undefined): Promise<void> => {
    await store.remove(path);
    if (bytes) await putBytes(store, path, bytes);
  };
  await put(damaged);
  try {
    await check();
  } finally {
    await put(good);
  }
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const damaged = Uint8Array.from(bytes);
  damaged[at < 0 ? bytes.byteLength + at : at]! ^= 1;
  return damaged;
}

/** The diseases of an object. `told`: by a check of the structure alone. */
function diseases(
  bytes: Uint8Array,
  neighbour: Uint8Array,
): { name: string; bytes: Uint8Array | undefined; told: boolean }[] {
  return [
    { name: 'flip in the magic', bytes: flipped(bytes, 3), told: false },
    { name: 'flip in the job', bytes: flipped(bytes, 40), told: false },
    { name: 'flip in the salt', bytes: flipped(bytes, 60), told: false },
    { name: 'flip in the commitment', bytes: flipped(bytes, 90), told: false },
    { name: 'flip in the body', bytes: flipped(bytes, Math.min(500, bytes.byteLength >> 1)), told: false },
    { name: 'flip in the last tag', bytes: flipped(bytes, -30), told: false },
    { name: 'flip in the last byte', bytes: flipped(bytes, -1), told: false },
    { name: 'cut to nothing', bytes: new Uint8Array(0), told: true },
    { name: 'cut to one byte', bytes: bytes.subarray(0, 1), told: true },
    { name: 'cut in half', bytes: bytes.subarray(0, bytes.byteLength >> 1), told: true },
    { name: 'one byte short', bytes: bytes.subarray(0, -1), told: true },
    { name: 'deleted', bytes: undefined, told: true },
    { name: 'swapped with a neighbour', bytes: neighbour, told: neighbour.byteLength !== bytes.byteLength },
  ];
}

function damageOf(result: VerifyResult, path: string): { about: boolean; points: Set<string> } {
  const damage = result.findings.filter(({ severity }) => severity === 'damage');
  return {
    about: damage.some(({ where, what }) => where === path || what.includes(path)),
    points: new Set(damage.flatMap(({ points }) => points)),
  };
}

/** Every point restores bit for bit, or fails with a typed error and leaves no file. Returns those that do. */
async function restorable(): Promise<Set<string>> {
  const { bench, disks } = scene;
  const whole = new Set<string>();
  for (const [point, bytes] of disks) {
    const to = join(bench.folder, 'out', `${toHex(Buffer.from(point))}.vhd`);
    try {
      expect(Buffer.compare(await bench.restored(point), bytes), point).toBe(0);
      whole.add(point);
    } catch (error) {
      expect(error).toMatchObject({ name: 'VhdvaultError', code: expect.stringMatching(/^VAULT_(DAMAGED|NEWER)$/) });
      await using session = await bench.open();
      await expect(restore(session, point, { to })).rejects.toMatchObject({ name: 'VhdvaultError' });
      expect(await readdir(join(bench.folder, 'out'))).toEqual([]);
    }
  }
  return whole;
}

describe('the vault of these tests', () => {
  it('is clean, and its points need different packs', async () => {
    expect((await scene.bench.verify(true)).findings).toEqual([]);
    const sizes = [...scene.packs.values()].map((hit) => hit.size);
    expect(Math.min(...sizes)).toBe(1);
    expect(Math.max(...sizes)).toBeLessThan(3);
    expect(scene.packs.size).toBeGreaterThan(4);
    expect(scene.segments).toHaveLength(3);
  });
});

describe('damage to a pack', () => {
  it('is told with its name and exactly the points that it hits; the others restore', async () => {
    const { bench, packs, disks } = scene;
    const names = [...packs.keys()];
    for (const [n, name] of names.entries()) {
      const path = packPath(name);
      const bytes = await bench.store.get(path);
      const neighbour = await bench.store.get(packPath(names[(n + 1) % names.length]!));
      for (const disease of diseases(bytes, neighbour)) {
        const where = `${path}: ${disease.name}`;
        await withDamage(path, disease.bytes, async () => {
          const deep = await bench.verify(true);
          expect(damageOf(deep, path).about, where).toBe(true);
          expect(deep.ok, where).toBe(false);
          if (disease.told) expect(damageOf(await bench.verify(), path).about, where).toBe(true);
          const whole = await restorable();
          const hit = damageOf(deep, path).points;
          // What verify calls whole restores; what restores by luck (its frames are well, the pack is not) may be called hit.
          for (const point of disks.keys())
            if (!hit.has(point)) expect(whole.has(point), `${where} ${point}`).toBe(true);
          for (const point of hit) expect(packs.get(name)?.has(point), `${where} ${point}`).toBe(true);
        });
      }
    }
    expect((await bench.verify(true)).findings).toEqual([]);
  });

  it('in one frame hits the points that need this block, and no others', async () => {
    const { bench, packs } = scene;
    await using session = await bench.open();
    const { keys, config } = session.vault;
    const shared = [...packs].find(([, hit]) => hit.size === 2)!;
    const [name] = shared;
    const bytes = await bench.store.get(packPath(name));
    const seen = new Set<number>();
    for (let at = 96 + 100; at < bytes.byteLength - 2000; at += BLOCK + 16) {
      await withDamage(packPath(name), flipped(bytes, at), async () => {
        const check = await checkPack({
          store: bench.store,
          keys,
          name,
          size: bytes.byteLength,
          blockSize: config.blockSize,
          indexed: [],
        });
        expect(check.badIds).toHaveLength(1);
        const result = await bench.verify(true);
        const hit = damageOf(result, packPath(name)).points;
        const whole = await restorable();
        expect(new Set([...scene.disks.keys()].filter((point) => !whole.has(point)))).toEqual(hit);
        seen.add(hit.size);
      });
    }
    expect([...seen].sort()).toEqual([1, 2]);
  });
});

describe('damage to a segment', () => {
  it('is told with its name and the points that it hits; the others restore', async () => {
    const { bench, segments, disks } = scene;
    for (const [n, name] of segments.entries()) {
      const path = `index/${name}`;
      const bytes = await bench.store.get(path);
      const neighbour = await bench.store.get(`index/${segments[(n + 1) % segments.length]}`);
      for (const disease of diseases(bytes, neighbour)) {
        const where = `${path}: ${disease.name}`;
        await withDamage(path, disease.bytes, async () => {
          const result = await bench.verify();
          expect(damageOf(result, path).about, where).toBe(true);
          const hit = damageOf(result, path).points;
          expect(hit.size, where).toBeGreaterThan(0);
          expect(result.findings.length).toBeLessThan(10);
          // The local index would still know what the segment said.
          await rm(bench.cache, { recursive: true });
          const whole = await restorable();
          for (const point of disks.keys())
            if (!hit.has(point)) expect(whole.has(point), `${where} ${point}`).toBe(true);
        });
      }
    }
  });

  it('is healed by the next backup, which stores again what the segment had', async () => {
    const { bench, segments } = scene;
    const path = `index/${segments[2]}`;
    const result = { point: '' };
    await withDamage(path, flipped(await bench.store.get(path), 100), async () => {
      await rm(bench.cache, { recursive: true });
      const again = await bench.backup('b', []);
      expect(again.type).toBe('full');
      expect(again.warnings).toHaveLength(1);
      expect(Buffer.compare(await bench.restored(`b@${again.point}`), text(10 * BLOCK, 3))).toBe(0);
      result.point = again.point;
    });
    scene.disks.set(`b@${result.point}`, text(10 * BLOCK, 3));
  });
});

describe('damage to the log', () => {
  it('is told with the entry; points before it restore, and nobody writes', async () => {
    const { bench, disks } = scene;
    const entries = await bench.store.list('log');
    const order = await bench.open().then(async (session) => {
      await using open = session;
      return catalog(open.vault).map(({ id, sequence, manifest }) => ({ name: `${manifest.item}@${id}`, sequence }));
    });
    for (const [n, entry] of entries.entries()) {
      if (n === 0) continue;
      const path = `log/${entry}`;
      const bytes = await bench.store.get(path);
      const neighbour = await bench.store.get(`log/${entries[(n + 1) % entries.length]}`);
      for (const disease of diseases(bytes, neighbour)) {
        // Taking the newest away is a rollback, which the state folder notices: it has tests of its own.
        if (disease.bytes === undefined && n === entries.length - 1) continue;
        await withDamage(path, disease.bytes, async () => {
          const where = `${path}: ${disease.name}`;
          await using session = await bench.open();
          const result = await verify(session);
          expect(damageOf(result, path).about, where).toBe(true);
          expect(result.ok).toBe(false);
          const readable = order.filter(({ sequence }) => sequence <= n);
          expect(catalog(session.vault).map(({ id, manifest }) => `${manifest.item}@${id}`)).toEqual(
            readable.map(({ name }) => name),
          );
          for (const { name } of readable)
            expect(Buffer.compare(await bench.restored(name), disks.get(name)!), where).toBe(0);
          await expect(bench.backup('b', [])).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
        });
      }
    }
  });
});

describe('damage to a lock', () => {
  it('stops nobody: the next run takes it over', async () => {
    const { bench } = scene;
    await using session = await bench.open();
    const path = `locks/${session.vault.nameHash('item', 'b')}`;
    for (const bytes of [new Uint8Array(0), Uint8Array.of(1), noise(300, 1)]) {
      await putBytes(bench.store, path, bytes);
      expect((await bench.verify()).ok).toBe(true);
      const { notices } = await bench.backup('b', []);
      expect(notices).toEqual([expect.stringContaining('unreadable lock was taken over')]);
      expect(await bench.store.list('locks')).toEqual([]);
    }
  });
});
