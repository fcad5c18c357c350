import { mkdir, open, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { MIB } from '../../src/base/units.ts';
import { scrub } from '../../src/jobs/scrub-job.ts';
import type { ScrubResult } from '../../src/jobs/scrub-types.ts';
import type { Progress } from '../../src/jobs/types.ts';
import { openInThreadPool } from '../../src/pool/in-thread-pool.ts';
import type { StoreAddress } from '../../src/vault/open-store.ts';
import { putFile, readAll, storeOf } from '../support/copied-store.ts';
import { diseasesOf } from '../support/every-damage.ts';
import { failReads, flipAt, hurt, ioFailure } from '../support/hurt-vault.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';
import { makeScene, type Scene } from '../support/vault-truth.ts';

const folder = tempFolder({ inMemory: true });
let scene: Scene;
let files: Map<string, Uint8Array>;
const pathsIn = (place: string): string[] => [...files.keys()].filter((path) => path.startsWith(`${place}/`)).sort();

beforeAll(async () => {
  scene = await makeScene(folder.fresh('scrub'));
  await using session = await scene.bench.open();
  const { vault } = session;
  while (vault.state.sequence < 34) await vault.commit(() => ({ type: 'setting', key: 'k', value: new Uint8Array(9) }));
  files = await readAll(scene.bench.store);
});

function scrubbed(store: StoreAddress = scene.bench.storeAddress): Promise<ScrubResult> {
  return scrub('memory', { parts: { store, pool: openInThreadPool(2) } });
}

/** A small one in a real folder. */
async function makeVault(): Promise<VaultBench> {
  const bench = await openBench(folder.fresh('folder'), { where: 'folder', inThread: true });
  await mkdir(bench.folder, { recursive: true });
  await bench.backup('a', [await rawDisk(join(bench.folder, 'disk'), noise(5 * 16 * 1024, 5))]);
  return bench;
}

function told({ findings }: ScrubResult): string[] {
  return findings.map(({ severity, code, where }) => `${severity} ${code} ${where}`);
}

describe('scrub', () => {
  it('of a whole vault finds nothing, encrypted or not, and tells what it looked at', async () => {
    const progress: Progress[] = [];
    const store = scene.bench.storeAddress;
    const onProgress = (one: Progress): void => void progress.push(one);
    const result = await scrub('memory', { parts: { store, pool: openInThreadPool(2) }, onProgress });
    const [packs, segments] = [pathsIn('packs'), pathsIn('index')];
    const bytes = [...packs, ...segments].reduce((sum, path) => sum + files.get(path)!.byteLength, 0);
    const counts = { packs: packs.length, segments: segments.length, lists: 0, entries: 34, slots: 1, checkpoints: 1 };
    expect(result).toMatchObject({ ok: true, findings: [], checked: { ...counts, bytes } });
    expect(progress.at(-1)).toMatchObject({ phase: 'checking', done: bytes + 1024, total: bytes + 1024 });
    const open = await makeScene(folder.fresh('open'), false);
    expect(await scrubbed(open.bench.storeAddress)).toMatchObject({ ok: true, findings: [] });
  });

  it.each([
    ['packs', 'PACK'],
    ['index', 'SEGMENT'],
  ])('tells every disease of a file in %s, but that it is gone, and names no point', async (place, code) => {
    const paths = pathsIn(place);
    for (const [n, path] of paths.entries()) {
      const neighbour = files.get(paths[(n + 1) % paths.length]!)!;
      for (const { name, bytes } of diseasesOf(files.get(path)!, neighbour)) {
        await using _ = await hurt(scene.bench.store, path, () => bytes);
        const result = await scrubbed();
        expect(told(result), `${path}: ${name}`).toEqual(bytes ? [`damage ${code} ${path}`] : []);
        expect(result.findings[0] ?? {}).not.toHaveProperty('points');
      }
    }
  });

  it('tells a copy of a file under another name, and a name in a folder of others', async () => {
    const [pack] = pathsIn('packs');
    const name = 'ab'.repeat(32);
    await putFile(scene.bench.store, `packs/ab/${name}`, files.get(pack!)!);
    expect(told(await scrubbed())).toEqual([`damage PACK packs/ab/${name}`]);
    await scene.bench.store.rename(`packs/ab/${name}`, `packs/cd/${name}`);
    expect(told(await scrubbed())).toEqual([`info STRANGER packs/cd/${name}`]);
    await scene.bench.store.remove(`packs/cd/${name}`);
  });

  it('tells every disease of a log entry by the chain, but what is in the newest one', async () => {
    const paths = pathsIn('log');
    for (const n of [0, 1, paths.length - 1]) {
      const path = paths[n]!;
      const isNewest = n === paths.length - 1;
      const size = files.get(path)!.byteLength;
      for (const { name, bytes } of diseasesOf(files.get(path)!, files.get(paths[isNewest ? 0 : n + 1]!)!)) {
        await using _ = await hurt(scene.bench.store, path, () => bytes);
        const where = `${path}: ${name}`;
        const result = await scrubbed();
        const isHeadWhole = /salt|commitment|job|tag|last byte/.test(name) || bytes?.byteLength === size - 1;
        const blind = isNewest && (!bytes || isHeadWhole);
        expect(result.ok, where).toBe(blind);
        if (blind) continue;
        // Two that do not fit: nothing tells which of them was changed, and the finding names both.
        const words = result.findings.map((finding) => `${finding.severity} ${finding.code} ${finding.what}`);
        expect(words.join('; '), where).toMatch(new RegExp(`damage LOG_ENTRY .*${path}`));
        expect(words.length, where).toBeLessThanOrEqual(n === 0 ? 2 : 1);
      }
    }
  });

  it('tells of a cut log by the checkpoint that is beyond it, and passes over a torn checkpoint', async () => {
    const [path] = pathsIn('ckpt');
    for (const { name, bytes } of diseasesOf(files.get(path!)!)) {
      await using _ = await hurt(scene.bench.store, path!, () => bytes);
      const { ok, findings } = await scrubbed();
      expect(ok, name).toBe(true);
      for (const finding of findings) expect(finding, name).toMatchObject({ severity: 'info', code: 'CHECKPOINT' });
    }
    {
      await using _ = await hurt(scene.bench.store, path!, flipAt(110));
      expect(told(await scrubbed())).toEqual([`damage CHECKPOINT ${path}`]);
    }
    const entries = pathsIn('log').slice(-3);
    for (const entry of entries) await scene.bench.store.remove(entry);
    expect(told(await scrubbed())).toEqual([`damage CHECKPOINT ${path}`]);
    for (const entry of entries) await putFile(scene.bench.store, entry, files.get(entry)!);
  });

  it('makes a remark of a checkpoint under another number, as verify does: opening passes over it', async () => {
    const { bench } = scene;
    const [path] = pathsIn('ckpt');
    const copy = `ckpt/${'99'.padStart(20, '0')}`;
    await putFile(bench.store, copy, files.get(path!)!);
    await using _ = { [Symbol.asyncDispose]: () => bench.store.remove(copy) };
    expect(told(await scrubbed())).toEqual([`info CHECKPOINT ${copy}`]);
    expect((await bench.verify()).findings).toMatchObject([{ severity: 'info', code: 'CHECKPOINT', where: copy }]);
  });

  it('tells what a key slot shows: its size, its header, and what it asks for', async () => {
    const [path] = pathsIn('keys');
    for (const { name, bytes } of diseasesOf(files.get(path!)!)) {
      if (/salt|commitment|job|tag|last byte|body/.test(name) || !bytes) continue;
      await using _ = await hurt(scene.bench.store, path!, () => bytes);
      // An interrupted `key add` may leave a short one.
      const severity = bytes.byteLength < files.get(path!)!.byteLength ? 'warning' : 'damage';
      expect(told(await scrubbed()), name).toEqual([`${severity} SLOT ${path}`]);
    }
  });

  it('tells that an encrypted vault has no key slot any more', async () => {
    const [path] = pathsIn('keys');
    await using _ = await hurt(scene.bench.store, path!, () => undefined);
    const { ok, findings } = await scrubbed();
    expect(ok).toBe(false);
    expect(findings).toMatchObject([
      { code: 'SLOT', where: 'keys', cure: expect.stringContaining('bring keys/ back') },
    ]);
  });

  it('tells that a vault has no log any more, once', async () => {
    const { address } = await makeVault();
    await rm(join(address, 'log'), { recursive: true });
    const { ok, findings } = await scrubbed({ kind: 'folder', path: address });
    expect(ok).toBe(false);
    expect(findings).toMatchObject([
      { code: 'LOG_ENTRY', where: 'log', cure: expect.stringContaining('bring log/ back') },
    ]);
  });

  it('compares the reserve with its formula', async () => {
    for (const { name, bytes } of diseasesOf(files.get('reserve')!)) {
      await using _ = await hurt(scene.bench.store, 'reserve', () => bytes);
      expect(told(await scrubbed()), name).toEqual(['warning RESERVE reserve']);
    }
  });

  it('goes on without a vault.json, or with a damaged one, and says only that', async () => {
    const config = Buffer.from(files.get('vault.json')!);
    const family = config.indexOf('"', config.indexOf('family') + 8) + 3;
    const changes: ((bytes: Uint8Array) => Uint8Array | undefined)[] = [
      () => undefined,
      (bytes) => bytes.subarray(0, 10),
      (bytes) => bytes.fill(0),
      (bytes) => Uint8Array.from(bytes, (byte, at) => (at === family ? (byte === 0x61 ? 0x62 : 0x61) : byte)),
    ];
    for (const change of changes) {
      await using _ = await hurt(scene.bench.store, 'vault.json', change);
      const [finding, ...more] = (await scrubbed()).findings;
      expect(more).toEqual([]);
      expect(finding).toMatchObject({ severity: 'damage', code: 'CONFIG', where: 'vault.json' });
    }
  });

  it('reads nothing of what is longer than its kind may be', async () => {
    const { address } = await makeVault();
    const name = 'ab'.repeat(32);
    const huge = [`index/${name}`, `lists/${name}`, `packs/ab/${name}`];
    for (const path of huge) {
      await using file = await open(join(address, path), 'w');
      await file.truncate(2 ** 42);
    }
    const { findings, checked } = await scrubbed({ kind: 'folder', path: address });
    expect(findings.map(({ where }) => where).sort()).toEqual(huge);
    for (const { severity, what } of findings)
      expect({ severity, what }).toEqual({ severity: 'damage', what: expect.stringContaining('longer than any') });
    expect(checked.bytes).toBeLessThan(MIB);
  });

  it('stops in the middle of a long file when it is cancelled', async () => {
    const name = 'ab'.repeat(32);
    const store = await storeOf(new Map([...files, [`packs/ab/${name}`, new Uint8Array(40 * MIB)]]));
    const stop = new AbortController();
    let reads = 0;
    using _ = failReads(store.address, (path) => {
      if (path.endsWith(name) && ++reads === 3) stop.abort();
      return undefined;
    });
    const parts = { store: store.address, pool: openInThreadPool(2) };
    await expect(scrub('memory', { parts, signal: stop.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(reads).toBe(3);
  });

  it('tells a name that leads nowhere, and not one that was removed meanwhile', async () => {
    const { address, store } = await makeVault();
    const [folder] = await store.list('packs');
    const links = [`index/${'cd'.repeat(32)}`, `packs/${folder}/${folder!.repeat(32)}`];
    for (const path of links) await symlink('nowhere', join(address, path));
    const { ok, findings } = await scrubbed({ kind: 'folder', path: address });
    expect(ok).toBe(false);
    expect(findings.map(({ where }) => where).sort()).toEqual(links);
    expect(findings[0]!.what).toContain('leads nowhere');
  });

  it('calls what the device does not give unread, not wrong, with what to do about it', async () => {
    const [pack] = pathsIn('packs');
    const { storeAddress } = scene.bench;
    const cure = 'look at the device';
    using _ = failReads(storeAddress, (path) => (path === pack ? ioFailure(cure) : undefined));
    const { ok, findings } = await scrubbed();
    expect(ok).toBe(false);
    expect(findings).toMatchObject([{ severity: 'damage', code: 'IO', where: pack, cure }]);
  });

  it('refuses what is no vault', async () => {
    await expect(scrubbed({ kind: 'memory', name: 'nothing at all' })).rejects.toMatchObject({ code: 'VAULT_MISSING' });
    await expect(scrub('x', { threads: 0 })).rejects.toMatchObject({ code: 'USAGE' });
  });
});
