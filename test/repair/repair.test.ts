import { createHash } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VhdvaultError } from '../../src/base/errors.ts';
import { gc } from '../../src/jobs/gc-job.ts';
import { scrub } from '../../src/jobs/scrub-job.ts';
import { repairVault } from '../../src/jobs/vault-repair-job.ts';
import type { RepairVaultResult } from '../../src/jobs/vault-repair-types.ts';
import { openInThreadPool } from '../../src/pool/in-thread-pool.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import { logPath } from '../../src/vault/log/entry.ts';
import type { Store } from '../../src/vault/open-store.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import { putFile } from '../support/copied-store.ts';
import { failGets, failReads, flipAt, hurt, ioFailure } from '../support/hurt-vault.ts';
import { packsOf } from '../support/many-points.ts';
import { happensBefore, withoutLocks } from '../support/race.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const BLOCK = 16 * 1024;
const folder = tempFolder({ inMemory: true });

interface Scene {
  bench: VaultBench;
  /** What the disk of each point holds, by reference. */
  points: Map<string, Uint8Array>;
  disk: { name: string; address: { kind: 'file'; path: string; format: 'raw' } };
}

/** Two points of one item: the second changes one block of six. */
async function newScene(): Promise<Scene> {
  const path = folder.fresh('repair');
  await mkdir(path, { recursive: true });
  const bench = await openBench(path);
  const first = noise(6 * BLOCK, 1);
  const second = Uint8Array.from(first);
  second.set(noise(BLOCK, 2), BLOCK);
  const points = new Map<string, Uint8Array>();
  for (const bytes of [first, second])
    points.set(`a@${(await bench.backup('a', [await rawDisk(join(path, 'disk'), bytes)])).point}`, bytes);
  return { bench, points, disk: (await rawDisk(join(path, 'disk'), second)) as Scene['disk'] };
}

async function repair(bench: VaultBench, dryRun = false): Promise<RepairVaultResult> {
  await using session = await bench.open();
  return await repairVault(session, { dryRun });
}

async function collect(bench: VaultBench): Promise<void> {
  await using session = await bench.open();
  await gc(session, { softDelete: 0, grace: 0 });
}

async function change(store: Store, path: string, to: (bytes: Uint8Array) => Uint8Array | undefined): Promise<void> {
  const bytes = to(Uint8Array.from(await store.get(path)));
  await store.remove(path);
  if (!bytes) return;
  await using file = await store.create(path);
  await file.write([bytes]);
}

/** As on a machine that has no copies of the log's entries. */
async function forgetCopies({ cache }: VaultBench): Promise<void> {
  for (const vault of await readdir(cache)) await rm(join(cache, vault, 'log'), { recursive: true });
}

/** All files of the vault with their bytes. */
async function filesOf(store: Store, at = '.'): Promise<string[]> {
  const found: string[] = [];
  for (const name of await store.list(at)) {
    const path = at === '.' ? name : `${at}/${name}`;
    const bytes = await store.get(path).catch(() => undefined);
    if (bytes) found.push(`${path} ${Buffer.from(bytes).toString('base64')}`);
    else found.push(...(await filesOf(store, path)));
  }
  return found;
}

async function expectWhole({ bench, points }: Scene): Promise<void> {
  for (const [ref, bytes] of points) expect(Buffer.compare(await bench.restored(ref), bytes)).toBe(0);
  expect(await bench.verify(true)).toMatchObject({ ok: true });
}

async function segmentsOf(bench: VaultBench): Promise<string[]> {
  await using session = await bench.open();
  return session.vault.state.segments.map(({ segment }) => segment);
}

const WHOLE_FRAME = 200;

describe('a repair', () => {
  it('of a whole vault changes not one byte', async () => {
    const { bench } = await newScene();
    const before = await filesOf(bench.store);
    expect(await repair(bench)).toMatchObject({ ok: true, actions: [], warnings: [] });
    expect(await filesOf(bench.store)).toEqual(before);
  });

  it('quarantines the frames that are damaged, and the next backup makes all points whole that can be', async () => {
    const scene = await newScene();
    const { bench, disk, points } = scene;
    const { packs } = await packsOf(bench);
    await change(bench.store, packPath(packs[0]!), flipAt(WHOLE_FRAME));
    const result = await repair(bench);
    expect(result).toMatchObject({ ok: true, actions: [{ action: 'quarantine', where: packPath(packs[0]!) }] });
    expect(result.warnings.join()).toContain('back their items up');
    expect(result.findings.map(({ code }) => code)).toContain('QUARANTINED');
    expect(await repair(bench)).toMatchObject({ ok: true, actions: [] });
    // The first block of both points is the same, and the disk still has it.
    expect((await bench.backup('a', [disk])).healed).toBeGreaterThan(0);
    expect(points.size).toBe(2);
    await expectWhole(scene);
  });

  it.each([
    ['has a damaged frame', flipAt(WHOLE_FRAME)],
    ['was cut', (bytes: Uint8Array) => bytes.subarray(0, 300)],
    ['has another header', flipAt(60)],
    ['is missing', () => undefined],
  ] as const)(
    'tells that a pack which %s is whole when its file was brought back, and gc needs it no more',
    async (_, damage) => {
      const scene = await newScene();
      const { bench } = scene;
      const { packs } = await packsOf(bench);
      const files = await Promise.all(packs.map((pack) => bench.store.get(packPath(pack))));
      for (const pack of packs) await change(bench.store, packPath(pack), damage);
      expect((await repair(bench)).actions).toHaveLength(packs.length);
      const putBack = async (n: number): Promise<void> => {
        await bench.store.remove(packPath(packs[n]!));
        await using file = await bench.store.create(packPath(packs[n]!));
        await file.write([files[n]!]);
      };
      for (const [n, pack] of packs.entries()) {
        expect(await repair(bench)).toMatchObject({ ok: true, actions: [] });
        await expect(collect(bench)).rejects.toMatchObject({ code: 'GC_BLOCKED' });
        await putBack(n);
        const before = (await bench.store.list('log')).length;
        expect((await repair(bench, true)).actions).toMatchObject([{ action: 'recover', where: packPath(pack) }]);
        expect(await bench.store.list('log')).toHaveLength(before);
        expect((await repair(bench)).actions).toMatchObject([{ action: 'recover', where: packPath(pack) }]);
      }
      const { findings } = await bench.verify(true);
      expect(findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
      await collect(bench);
      for (const pack of packs) expect(await bench.store.size(packPath(pack))).toBeUndefined();
      await expectWhole(scene);
      expect((await bench.verify(true)).findings).toEqual([]);
    },
  );

  it.each([
    ['is missing', () => undefined],
    ['was cut', (bytes: Uint8Array) => bytes.subarray(0, 300)],
    ['is empty', () => new Uint8Array(0)],
    ['has another header', flipAt(60)],
    ['has a damaged directory', (bytes: Uint8Array) => flipAt(bytes.length - 40)(bytes)],
    ['has a damaged trailer', (bytes: Uint8Array) => flipAt(bytes.length - 1)(bytes)],
  ] as const)('quarantines a pack that %s, so that nothing new refers to it', async (_, damage) => {
    const scene = await newScene();
    const { bench, disk } = scene;
    const { packs } = await packsOf(bench);
    for (const pack of packs) await change(bench.store, packPath(pack), damage);
    const result = await repair(bench);
    expect(result.actions.map(({ action }) => action)).toEqual(packs.map(() => 'quarantine'));
    const { point } = await bench.backup('a', [disk]);
    for (const pack of packs) await bench.store.remove(packPath(pack));
    expect(Buffer.compare(await bench.restored(`a@${point}`), [...scene.points.values()][1]!)).toBe(0);
  });

  it.each([
    ['is too long', (bytes: Uint8Array) => Buffer.concat([bytes, new Uint8Array(9)])],
    ['has a flipped bit', flipAt(WHOLE_FRAME)],
  ] as const)('and a scrub agree on a pack that %s, until gc frees it', async (_, damage) => {
    const { bench, disk } = await newScene();
    const { packs } = await packsOf(bench);
    await change(bench.store, packPath(packs[0]!), damage);
    await repair(bench);
    await bench.backup('a', [disk]);
    const scrubbed = await scrub('memory', { parts: { store: bench.storeAddress, pool: openInThreadPool(1) } });
    expect(scrubbed.findings).toMatchObject([{ severity: 'damage', where: packPath(packs[0]!) }]);
    expect(scrubbed.findings[0]!.cure).toContain('stays until gc frees it');
    for (const deep of [false, true]) {
      const { ok, findings } = await bench.verify(deep);
      expect(ok).toBe(true);
      expect(findings).toMatchObject([{ severity: 'info', code: 'QUARANTINED', where: packPath(packs[0]!) }]);
      expect(findings[0]!.cure).toContain('vhdvault gc');
    }
    {
      await using session = await bench.open();
      await gc(session, { grace: 0 });
    }
    expect((await bench.verify(true)).findings).toEqual([]);
    expect(await scrub('memory', { parts: { store: bench.storeAddress, pool: openInThreadPool(1) } })).toMatchObject({
      ...{ ok: true, findings: [] },
    });
  });

  it('of a pack that is missing is done once, and a gc keeps the file that is brought back', async () => {
    const { bench, points } = await newScene();
    const { packs } = await packsOf(bench);
    const files = await Promise.all(
      packs.map(async (pack) => [packPath(pack), await bench.store.get(packPath(pack))] as const),
    );
    for (const [path] of files) await bench.store.remove(path);
    expect((await repair(bench)).actions).toHaveLength(packs.length);
    expect((await repair(bench)).actions).toEqual([]);
    for (const [path, bytes] of files) await putFile(bench.store, path, bytes);
    {
      await using session = await bench.open();
      await gc(session, { grace: 0 }).catch(() => undefined);
    }
    for (const [ref, bytes] of points) expect(Buffer.compare(await bench.restored(ref), bytes)).toBe(0);
  });

  it('quarantines a pack that was put in the place of another', async () => {
    const { bench } = await newScene();
    const { packs } = await packsOf(bench);
    const [one, other] = packs as [string, string];
    const bytes = await bench.store.get(packPath(other));
    await change(bench.store, packPath(one), () => bytes);
    expect(await repair(bench)).toMatchObject({ ok: true, actions: [{ action: 'quarantine', where: packPath(one) }] });
    expect((await repair(bench)).actions).toEqual([]);
  });

  it('quarantines nothing for an I/O error, whatever is read', async () => {
    const { bench } = await newScene();
    const before = await filesOf(bench.store);
    using _failing = failReads(bench.storeAddress, (path) =>
      path.startsWith('packs/') || path.startsWith('index/') ? new VhdvaultError('IO', 'bad sector') : undefined,
    );
    const result = await repair(bench);
    expect(result).toMatchObject({ ok: false, actions: [] });
    expect(result.findings.map(({ code }) => code)).toContain('IO');
    expect(await filesOf(bench.store)).toEqual(before);
  });

  it.each([
    ['is right', () => undefined],
    [
      'cannot be read',
      () => {
        throw new VhdvaultError('IO', 'bad sector');
      },
    ],
  ])('quarantines nothing that had wrong bytes once, and then %s', async (_, then) => {
    const { bench } = await newScene();
    const { packs } = await packsOf(bench);
    const path = packPath(packs[0]!);
    const { name } = bench.storeAddress as { name: string };
    let reads = 0;
    wrapMemoryStore(name, (store) => ({
      ...store,
      open: async (opened) => {
        const file = await store.open(opened);
        return {
          ...file,
          read: async (position, target) => {
            await file.read(position, target);
            if (opened !== path || target.byteLength < 1000) return;
            if (reads++ === 0) target[500]! ^= 1;
            else then();
          },
          [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
        };
      },
    }));
    const result = await repair(bench);
    wrapMemoryStore(name, (store) => store);
    expect(reads).toBeGreaterThan(1);
    expect(result.actions).toEqual([]);
  });

  it.each([
    ['is missing', () => undefined],
    ['is empty', () => new Uint8Array(0)],
    ['has a damaged page', flipAt(150)],
    ['has a damaged tail', (bytes: Uint8Array) => flipAt(bytes.length - 40)(bytes)],
    ['has another header', flipAt(60)],
  ] as const)('rebuilds an index segment that %s from what the packs say of themselves', async (_, damage) => {
    const scene = await newScene();
    const { bench, disk } = scene;
    const before = await segmentsOf(bench);
    for (const segment of before) await change(bench.store, `index/${segment}`, damage);
    const result = await repair(bench);
    expect(result).toMatchObject({ ok: true, actions: before.map(() => ({ action: 'rebuild-index' })) });
    expect(await segmentsOf(bench)).toHaveLength(1);
    await expectWhole(scene);
    // All packs are sure to be those that the log tells of, so new points refer to them.
    expect((await bench.backup('a', [disk])).bytes.stored).toBe(0);
  });

  it('lets packs serve reads only, where the log does not tell that they belong to it', async () => {
    const scene = await newScene();
    const { bench, disk } = scene;
    const { packs } = await packsOf(bench);
    const [first] = await segmentsOf(bench);
    await change(bench.store, `index/${first}`, () => undefined);
    // One pack less than the log tells: perhaps another one is too many.
    await bench.store.remove(packPath(packs[0]!));
    await repair(bench);
    await using session = await bench.open();
    expect([...session.vault.state.quarantined.keys()]).toContain(packs[1]);
    const { point } = await bench.backup('a', [disk]);
    for (const pack of packs.slice(0, 2)) await bench.store.remove(packPath(pack));
    expect(Buffer.compare(await bench.restored(`a@${point}`), [...scene.points.values()][1]!)).toBe(0);
  });

  it('in a dry run tells what it would do, and writes nothing', async () => {
    const { bench } = await newScene();
    const { packs } = await packsOf(bench);
    await change(bench.store, packPath(packs[0]!), flipAt(WHOLE_FRAME));
    const [first] = await segmentsOf(bench);
    await change(bench.store, `index/${first}`, flipAt(150));
    const before = await filesOf(bench.store);
    const planned = await repair(bench, true);
    expect(planned).toMatchObject({ ok: false, dryRun: true });
    expect(planned.actions.map(({ action }) => action)).toContain('rebuild-index');
    expect(await filesOf(bench.store)).toEqual(before);
  });

  it('that dies at any operation is finished by the next one', async () => {
    const written = await diesAt(0);
    const every = process.env.VHDVAULT_LONG === '1' ? 1 : Math.ceil(written / 10);
    for (let k = 1; k <= written; k += every) await diesAt(k);
  }, 600_000);
});

/** A repair that dies at its k-th operation that writes; gives how many of these there are. */
async function diesAt(k: number): Promise<number> {
  const scene = await newScene();
  const { bench, disk } = scene;
  const { packs } = await packsOf(bench);
  await change(bench.store, packPath(packs[0]!), flipAt(WHOLE_FRAME));
  const [first] = await segmentsOf(bench);
  await change(bench.store, `index/${first}`, flipAt(150));
  const { name } = bench.storeAddress as { name: string };
  let writes = 0;
  const dying =
    <Args extends unknown[], T>(work: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      if (++writes >= k && k > 0) throw new VhdvaultError('IO', 'dead');
      return await work(...args);
    };
  wrapMemoryStore(name, (store) => ({
    ...store,
    ...{ create: dying(store.create), link: dying(store.link), rename: dying(store.rename) },
    ...{ remove: dying(store.remove), removeFolder: dying(store.removeFolder), syncFolder: dying(store.syncFolder) },
  }));
  await repair(bench).catch(() => undefined);
  wrapMemoryStore(name, (store) => store);
  expect(writes).toBeGreaterThanOrEqual(k);
  expect(await repair(bench)).toMatchObject({ ok: true });
  await bench.backup('a', [disk]);
  await expectWhole(scene);
  return writes;
}

describe('a newest entry that nobody can read', () => {
  async function damageLast(bench: VaultBench, to: (bytes: Uint8Array) => Uint8Array | undefined): Promise<number> {
    const last = (await bench.store.list('log')).length;
    await change(bench.store, logPath(last), to);
    await forgetCopies(bench);
    return last;
  }

  it.each([
    ['torn', (bytes: Uint8Array) => bytes.subarray(0, 170)],
    ['empty', () => new Uint8Array(0)],
    ['flipped', flipAt(180)],
    ['zeroed', (bytes: Uint8Array) => new Uint8Array(bytes.length)],
  ] as const)(
    '(%s) is moved aside, all else stays as it was, and the vault can be written again',
    async (_, damage) => {
      const { bench, disk, points } = await newScene();
      const [first, second] = points;
      const other = { state: join(bench.folder, 'state-of-another-user') };
      await (await bench.open(other))[Symbol.asyncDispose]();
      const last = await damageLast(bench, damage);
      await expect(bench.backup('a', [disk])).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
      const result = await repair(bench);
      expect(result.actions[0]).toMatchObject({ action: 'set-aside', where: logPath(last) });
      expect(await bench.store.list('quarantine')).toContain(`log-${String(last).padStart(20, '0')}`);
      // Who repaired goes on; another user, who had seen it whole, is told that the history changed.
      const { point } = await bench.backup('a', [disk]);
      await expect(bench.open(other)).rejects.toMatchObject({ code: 'VAULT_ROLLED_BACK' });
      expect(Buffer.compare(await bench.restored(first![0]), first![1])).toBe(0);
      expect(Buffer.compare(await bench.restored(`a@${point}`), second![1])).toBe(0);
      expect(await bench.verify(true)).toMatchObject({ ok: true });
    },
  );

  it('is moved aside with the checkpoint that rests on it, and the vault can be written again', async () => {
    const { bench, disk } = await newScene();
    await using session = await bench.open();
    while ((await bench.store.list('ckpt')).length === 0)
      await session.vault.commit(() => ({ type: 'setting', key: 'x', value: new Uint8Array(1) }));
    await damageLast(bench, flipAt(150));
    const { ok, actions, warnings } = await repair(bench);
    expect({ ok, actions: actions.map(({ action }) => action) }).toEqual({ ok: true, actions: ['set-aside'] });
    expect(warnings).toEqual([expect.stringContaining('back up now')]);
    expect(await repair(bench)).toMatchObject({ ok: true, actions: [], warnings: [] });
    expect(await bench.backup('a', [disk])).toMatchObject({ type: 'incremental' });
  });

  it('is moved aside once: a repair that comes too late leaves what was written in its place', async () => {
    const { bench, disk } = await newScene();
    const { name } = bench.storeAddress as { name: string };
    const last = await damageLast(bench, flipAt(180));
    // As if its lock had been taken over.
    const quicker = happensBefore(
      (what) => what.startsWith('rename quarantine/log-'),
      async () => {
        wrapMemoryStore(name, withoutLocks);
        await repair(bench);
        await bench.backup('a', [disk]);
      },
    );
    wrapMemoryStore(name, quicker);
    await repair(bench).catch(() => undefined);
    wrapMemoryStore(name, (store) => store);
    expect(await bench.store.list('log')).toContain(String(last).padStart(20, '0'));
    await using session = await bench.open({ acceptRollback: true });
    expect(session.vault.damage).toBeUndefined();
    expect(session.vault.state.points.size).toBe(2);
  });

  it('is none where a listing leaves out those that follow it', async () => {
    const { bench } = await newScene();
    const last = (await bench.store.list('log')).length;
    await change(bench.store, logPath(last - 1), flipAt(180));
    await forgetCopies(bench);
    const { name } = bench.storeAddress as { name: string };
    const isListed = (path: string) => (file: string) => path !== 'log' || Number(file) < last;
    wrapMemoryStore(name, (store) => ({
      ...store,
      list: async (path) => (await store.list(path)).filter(isListed(path)),
    }));
    expect((await repair(bench)).actions).toEqual([]);
    wrapMemoryStore(name, (store) => store);
    expect(await bench.store.list('log')).toHaveLength(last);
  });

  it('is told of in the log, so that a client which saw those very bytes accepts it, and no other client does', async () => {
    const { bench } = await newScene();
    const elsewhere = { state: join(bench.folder, 'another-state'), cache: join(bench.folder, 'another-cache') };
    const last = (await bench.store.list('log')).length;
    const hash = createHash('sha256')
      .update(await bench.store.get(logPath(last)))
      .digest('hex');
    for (const told of ['0'.repeat(64), hash]) {
      await bench.store.remove(logPath(last));
      {
        await using other = await bench.open({ ...elsewhere, acceptRollback: true });
        await other.vault.commit(() => ({ type: 'set-aside', sequence: last, hash: told }));
      }
      if (told === hash) await (await bench.open())[Symbol.asyncDispose]();
      else await expect(bench.open()).rejects.toMatchObject({ code: 'VAULT_ROLLED_BACK' });
    }
  });

  it('is told of by its number and the hash of what lay there', async () => {
    const { bench } = await newScene();
    const last = await damageLast(bench, flipAt(180));
    const hash = createHash('sha256')
      .update(await bench.store.get(logPath(last)))
      .digest('hex');
    await repair(bench);
    await using session = await bench.open();
    expect(session.vault.state.setAside).toEqual([{ sequence: last, hash }]);
  });

  it('is left alone where others follow it, be it damaged or missing', async () => {
    const { bench } = await newScene();
    const middle = (await bench.store.list('log')).length - 1;
    await forgetCopies(bench);
    for (const damage of [flipAt(180), () => undefined]) {
      await using _ = await hurt(bench.store, logPath(middle), damage);
      const before = await filesOf(bench.store);
      const { ok, actions } = await repair(bench);
      expect({ ok, actions }).toEqual({ ok: false, actions: [] });
      expect(await filesOf(bench.store)).toEqual(before);
    }
    expect(await bench.verify()).toMatchObject({ ok: true });
  });

  it('is left alone where the device cannot read it', async () => {
    const { bench } = await newScene();
    const last = logPath((await bench.store.list('log')).length);
    const before = await filesOf(bench.store);
    {
      await forgetCopies(bench);
      using _ = failGets(bench.storeAddress, last, ioFailure());
      const { ok, actions } = await repair(bench);
      expect({ ok, actions }).toEqual({ ok: false, actions: [] });
    }
    expect(await filesOf(bench.store)).toEqual(before);
    expect(await bench.verify()).toMatchObject({ ok: true });
  });

  it('is left alone where only a checkpoint tells that it was there', async () => {
    const { bench } = await newScene();
    {
      await using session = await bench.open();
      while ((await bench.store.list('ckpt')).length === 0)
        await session.vault.commit(() => ({ type: 'setting', key: 'x', value: new Uint8Array(1) }));
    }
    await damageLast(bench, () => undefined);
    const before = await filesOf(bench.store);
    const { ok, actions } = await repair(bench);
    expect({ ok, actions }).toEqual({ ok: false, actions: [] });
    expect(await filesOf(bench.store)).toEqual(before);
  });

  it('that is authentic is never moved, nor told of when somebody else moved it', async () => {
    const { bench } = await newScene();
    const last = (await bench.store.list('log')).length;
    await bench.store.rename(logPath(last), `quarantine/log-${String(last).padStart(20, '0')}`);
    await using session = await bench.open({ acceptRollback: true });
    await repairVault(session);
    expect(session.vault.state.setAside).toEqual([]);
  });
});
