import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { addKey } from '../../src/jobs/key-job.ts';
import { thisProcess } from '../../src/jobs/lock-owner.ts';
import { restore } from '../../src/jobs/restore-job.ts';
import { repairVault } from '../../src/jobs/vault-repair-job.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import type { VerifyResult } from '../../src/jobs/verify-types.ts';
import { catalog } from '../../src/point/catalog.ts';
import { sealLock } from '../../src/vault/sealed-file.ts';
import { openVault } from '../../src/vault/vault.ts';
import { putFile, readAll, storeOf } from '../support/copied-store.ts';
import { diseasesOf } from '../support/every-damage.ts';
import { PASSPHRASE } from '../support/fixed-parts.ts';
import { flipAt, hurt } from '../support/hurt-vault.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { lostByReading, lostByVerify, makeScene, type Scene } from '../support/vault-truth.ts';

const folder = tempFolder({ inMemory: true });
let scene: Scene;
let files: Map<string, Uint8Array>;
const pathsIn = (place: string): string[] => [...files.keys()].filter((path) => path.startsWith(`${place}/`)).sort();

beforeAll(async () => {
  scene = await makeScene(folder.fresh('verify'));
  files = await readAll(scene.bench.store);
});

function isAbout({ findings }: VerifyResult, path: string): boolean {
  return findings.some(({ severity, where, what }) => severity === 'damage' && (where === path || what.includes(path)));
}

interface Hurt {
  path: string;
  bytes: Uint8Array | undefined;
  /** By its size. */
  told: boolean;
  where: string;
}

/** Every object of a kind with every disease, one at a time. */
async function withEvery(place: string, check: (one: Hurt) => Promise<void>): Promise<void> {
  const paths = pathsIn(place);
  for (const [n, path] of paths.entries()) {
    const neighbour = files.get(paths[(n + 1) % paths.length]!)!;
    for (const { name, bytes, told } of diseasesOf(files.get(path)!, neighbour)) {
      await using _ = await hurt(scene.bench.store, path, () => bytes);
      await check({ path, told, bytes, where: `${path}: ${name}` });
    }
  }
}

describe('the vault of these tests', () => {
  it('is clean, and has several objects of each kind', async () => {
    expect((await scene.bench.verify(true)).findings).toEqual([]);
    expect(pathsIn('packs').length).toBeGreaterThan(4);
    expect(pathsIn('index')).toHaveLength(3);
    expect(pathsIn('log').length).toBeGreaterThan(6);
  });
});

describe.each(['packs', 'index'])('damage to an object in %s', (place) => {
  it('is told with its name, and with exactly the ranges of the points that a restore would lose', async () => {
    const { bench, disks } = scene;
    const hit = new Set<string>();
    await withEvery(place, async ({ path, told, where, bytes }) => {
      await using session = await bench.open();
      const deep = await verify(session, { readData: true });
      expect(deep.ok, where).toBe(false);
      expect(isAbout(deep, path), where).toBe(true);
      const truth = await lostByReading(session.vault, disks);
      expect(lostByVerify(deep, truth.keys()), where).toEqual(truth);
      const named = new Set(deep.findings.flatMap(({ points }) => points));
      expect(named, where).toEqual(new Set([...truth].flatMap(([ref, lost]) => (lost.length > 0 ? [ref] : []))));
      for (const ref of named) hit.add(ref);
      if (!told && place === 'packs') return;
      const quick = await verify(session);
      expect(isAbout(quick, path), where).toBe(true);
      // What is behind the end of a pack that was cut is lost without reading any of it.
      if (bytes !== undefined && !where.includes('swapped'))
        expect(lostByVerify(quick, truth.keys()), where).toEqual(truth);
    });
    expect(hit).toEqual(new Set(disks.keys()));
    expect((await bench.verify(true)).findings).toEqual([]);
  });
});

describe('damage to the log', () => {
  it('is told, and costs what the entry told and nothing else: all other points restore, and nobody writes', async () => {
    const { bench, disks } = scene;
    const [second, newest] = [pathsIn('log')[1]!, pathsIn('log').at(-1)!];
    const order = await pointsOf(scene);
    await withEvery('log', async ({ path, where }) => {
      // Without the first entry nothing opens: scrub tells. Taking the newest away is a rollback, which the state folder notices.
      if (path.endsWith('01') || (path === newest && !(await bench.store.size(path)))) return;
      await using session = await bench.open({ acceptRollback: true });
      const result = await verify(session);
      const vault = await session.vault.forReading();
      expect(isAbout(result, path), where).toBe(true);
      const others = order.filter(({ entry }) => entry !== path).map(({ ref }) => ref);
      expect(
        catalog(vault).map(({ id, manifest }) => `${manifest.item}@${id}`),
        where,
      ).toEqual(others);
      const truth = await lostByReading(vault, disks);
      expect([...truth.values()].flat(), where).toEqual([]);
      expect(lostByVerify(result, others), where).toEqual(truth);
      // A point whose own entry is damaged cannot be named.
      expect(
        result.findings.flatMap(({ points }) => points),
        where,
      ).toEqual([]);
      if (path === newest || path === second)
        await expect(bench.backup('b', [])).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
    });
  });
});

describe("two objects of a kind in each other's place", () => {
  it('are both told in keys', async () => {
    const { bench } = await makeScene(folder.fresh('slots'));
    await using session = await bench.open();
    await addKey(session, { passphrase: 'another one' });
    const [one, other] = (await bench.store.list('keys')).map((name) => `keys/${name}`) as [string, string];
    const [first, second] = [await bench.store.get(one), await bench.store.get(other)];
    await using _ = await hurt(bench.store, one, () => second);
    await using __ = await hurt(bench.store, other, () => first);
    const result = await verify(session);
    expect(result.ok).toBe(false);
    expect([isAbout(result, one), isAbout(result, other)]).toEqual([true, true]);
  });

  it.each(['packs', 'index', 'log'])(
    'are both told in %s, or the first of them where nobody reads on',
    async (place) => {
      const { store } = scene.bench;
      const [one, other] = pathsIn(place).slice(1) as [string, string];
      await using _ = await hurt(store, one, () => files.get(other));
      await using __ = await hurt(store, other, () => files.get(one));
      const result = await scene.bench.verify(true);
      expect([isAbout(result, one), isAbout(result, other)]).toEqual([true, true]);
    },
  );
});

describe('a copy of an object under another name', () => {
  const next = (path: string): string => `log/${String(Number(path.slice('log/'.length)) + 1).padStart(20, '0')}`;
  it.each([
    ['packs', (path: string) => `packs/00/${'0'.repeat(60)}${path.slice(-4)}`],
    ['index', (path: string) => `index/${'0'.repeat(60)}${path.slice(-4)}`],
    ['keys', () => 'keys/0123456789abcdef'],
    ['log', next],
  ] as const)('is told in %s, and harms no point', async (place, nameOf) => {
    const { bench, disks } = scene;
    const path = pathsIn(place).at(-1)!;
    const copy = nameOf(path);
    await putFile(bench.store, copy, files.get(path)!);
    await using _ = { [Symbol.asyncDispose]: () => bench.store.remove(copy) };
    const { findings } = await bench.verify(true);
    expect(findings.filter(({ where }) => where === copy)).toHaveLength(1);
    await using session = await bench.open();
    expect([...(await lostByReading(session.vault, disks)).values()].flat()).toEqual([]);
  });
});

describe('an entry that opening passes over, since it begins at a checkpoint,', () => {
  it('is checked all the same, be it damaged or of another history; everything restores', async () => {
    const { bench, disks } = await makeScene(folder.fresh('checkpoint'));
    await using session = await bench.open();
    const { vault } = session;
    while (vault.state.sequence < 34)
      await vault.commit(() => ({ type: 'setting', key: 'k', value: Uint8Array.of(vault.state.sequence) }));
    const all = await readAll(bench.store);
    const path = `log/${'3'.padStart(20, '0')}`;
    const forged = async (): Promise<Uint8Array> => {
      const before = [...all].filter(([name]) => !/^(log|ckpt)/.test(name) || (name.startsWith('log') && name < path));
      const other = await openVault(await storeOf(new Map(before)), { secret: PASSPHRASE });
      await other.commit(() => ({ type: 'setting', key: 'other', value: new Uint8Array(1) }));
      return await other.store.get(path);
    };
    const others = diseasesOf(all.get(path)!).map(({ name, bytes }) => ({ name, bytes, told: path }));
    const next = `log/${'4'.padStart(20, '0')}`;
    for (const { name, bytes, told } of [...others, { name: 'forged', bytes: await forged(), told: next }]) {
      await using _ = await hurt(bench.store, path, () => bytes);
      await using now = await bench.open();
      expect(now.vault.damage, name).toBeUndefined();
      const { ok, findings } = await verify(now);
      expect(ok).toBe(false);
      const cure = expect.stringContaining('everything restores');
      expect(findings, name).toMatchObject([{ code: 'LOG_ENTRY', where: told, points: [], cure }]);
      if (name === 'deleted') expect([...(await lostByReading(now.vault, disks)).values()].flat()).toEqual([]);
    }
  });
});

describe('after damage to a segment', () => {
  it('whoever restores is told that repair gives everything back, and it does', async () => {
    const { bench, disks } = await makeScene(folder.fresh('told'));
    for (const name of await bench.store.list('index')) {
      const bytes = flipAt(150)(Uint8Array.from(await bench.store.get(`index/${name}`)));
      await bench.store.remove(`index/${name}`);
      await putFile(bench.store, `index/${name}`, bytes!);
    }
    await rm(bench.cache, { recursive: true });
    const [[ref, content] = ['', new Uint8Array()]] = disks;
    await expect(bench.restored(ref)).rejects.toMatchObject({
      hint: expect.stringMatching(/^run `vhdvault repair`.*nothing is lost by this alone.*until then `restore --best-/),
    });
    await using session = await bench.open();
    const { findings } = await verify(session);
    expect(findings.map(({ code, cure }) => [code, cure.includes('nothing is lost')])).toEqual([
      ...Array(3).fill(['SEGMENT', true]),
      ['BLOCK', true],
    ]);
    const to = join(bench.folder, 'zeros.raw');
    const { warnings } = await restore(session, ref, { to, format: 'raw', bestEffort: true });
    expect(warnings).toEqual([expect.stringContaining('`vhdvault repair` makes it anew, and another restore has')]);
    await repairVault(session);
    expect(Buffer.compare(await bench.restored(ref), content)).toBe(0);
  });

  it('the next backup stores again what the segment had', async () => {
    const { bench, disks } = await makeScene(folder.fresh('healed'));
    const paths = (await bench.store.list('index')).map((name) => `index/${name}`);
    const [ref, content] = [...disks].at(-1)!;
    for (const path of paths) {
      await rm(bench.cache, { recursive: true });
      await using _ = await hurt(bench.store, path, flipAt(100));
      const again = await bench.backup('b', []);
      if (again.type !== 'full') continue;
      expect(again.warnings).toHaveLength(1);
      expect(Buffer.compare(await bench.restored(`b@${again.point}`), content), ref).toBe(0);
      return;
    }
    expect.unreachable();
  });
});

describe('damage to a lock', () => {
  it('stops nobody: verify tells, the next run takes it over', async () => {
    const { bench } = scene;
    await using session = await bench.open();
    const path = `locks/${session.vault.nameHash('item', 'b')}`;
    const whole = sealLock(session.vault, new TextEncoder().encode('{}'));
    // Of another item, by a run that died.
    const dead = { ...(await thisProcess()), start: 'long ago', since: 0, beat: 0, token: '0'.repeat(16) };
    const neighbour = sealLock(session.vault, new TextEncoder().encode(JSON.stringify(dead)));
    for (const { name, bytes } of diseasesOf(whole, neighbour)) {
      if (bytes) await putFile(bench.store, path, bytes);
      const isReadable = bytes === undefined || bytes === neighbour;
      const told = isReadable ? [] : [{ severity: 'info', code: 'LOCK', where: path }];
      expect((await bench.verify()).findings, name).toMatchObject(told);
      const { notices } = await bench.backup('b', []);
      const whose = isReadable ? 'the lock of a dead run' : 'an unreadable lock';
      const taken = expect.stringMatching(new RegExp(`^${whose}.* was taken over$`));
      expect(notices, name).toEqual(bytes ? [taken] : []);
      expect(await bench.store.list('locks'), name).toEqual([]);
    }
  });
});

async function pointsOf({ bench }: Scene): Promise<{ ref: string; entry: string }[]> {
  await using session = await bench.open();
  return catalog(session.vault).map(({ id, sequence, manifest }) => ({
    ...{ ref: `${manifest.item}@${id}`, entry: `log/${String(sequence).padStart(20, '0')}` },
  }));
}
