import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LocationTable } from '../../src/cache/location-table.ts';
import { writeRows } from '../../src/cache/write-segments.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import type { VerifyResult } from '../../src/jobs/verify-types.ts';
import { catalog } from '../../src/point/catalog.ts';
import { openSegment, segmentPath } from '../../src/vault/block-index.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { fillIndex } from '../../src/verify/build-index.ts';
import { putFile } from '../support/copied-store.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;

async function makeVault(): Promise<VaultBench> {
  const bench = await openBench(folder.fresh('beside'));
  await mkdir(bench.folder, { recursive: true });
  for (const [n, item] of ['a', 'a', 'b'].entries())
    await bench.backup(item, [await rawDisk(join(bench.folder, item), noise(8 * BLOCK, n + 1))]);
  return bench;
}

/** Verifies, and just before the store is first asked for something like `at` somebody else does `action`. */
async function verifyBeside(
  bench: VaultBench,
  at: RegExp,
  action: (vault: Vault) => Promise<void>,
  readData = true,
): Promise<VerifyResult> {
  const { name } = bench.storeAddress as { name: string };
  await using other = await bench.open();
  let [left, begins] = [1, false];
  const before = async (what: string): Promise<void> => {
    if (begins && at.test(what) && left-- === 1) await action(other.vault);
  };
  // Also of the threads of verify, which open the store themselves.
  wrapMemoryStore(name, (store) => ({
    ...store,
    size: (path) => before(`size ${path}`).then(() => store.size(path)),
    open: (path) => before(`open ${path}`).then(() => store.open(path)),
    get: (path) => before(`get ${path}`).then(() => store.get(path)),
    list: (path) => before(`list ${path}`).then(() => store.list(path)),
  }));
  await using session = await bench.open();
  begins = true;
  const result = await verify(session, { readData });
  wrapMemoryStore(name, (store) => store);
  expect(left, 'the moment came').toBeLessThan(1);
  return result;
}

/** What a gc does that gives up the point of item b, in one go. */
async function giveUpB(vault: Vault): Promise<void> {
  const point = catalog(vault).find(({ manifest }) => manifest.item === 'b')!;
  await using segment = await openSegment(vault.store, vault.keys, segmentPath(vault.state.segments.at(-1)!.segment));
  const packs = segment.packs.map(({ name }) => name);
  const points = [point.logged.point];
  await vault.commit(() => ({ type: 'forget', points }));
  await vault.commit(() => ({ type: 'condemn', points, packs }));
  for (const pack of packs) await vault.store.remove(packPath(pack));
}

/** What a gc does that merges all segments into one. */
async function mergeAll(vault: Vault): Promise<void> {
  const job = '0a'.repeat(16);
  using table = new LocationTable(':memory:');
  await fillIndex(vault, table);
  await vault.openJob(job, 'staging', 'index-merge');
  const adds = await writeRows({ vault, job, folder: 'staging', run: '0' }, table);
  const dropped = vault.state.segments.map(({ segment }) => segment);
  await vault.commit(() => ({ type: 'index-merge', adds, dropped }), { job });
  for (const segment of dropped) await vault.store.remove(segmentPath(segment));
}

describe('verify beside others', () => {
  it.each([
    ['while it counts packs', /^size packs/],
    ['while it reads packs', /^open packs/],
    ['while it reads segments', /^size index/],
    ['while it lists', /^list packs/],
  ])('does not take for damage what is condemned and swept %s', async (_, at) => {
    const bench = await makeVault();
    const result = await verifyBeside(bench, at, giveUpB);
    expect(result.findings).toEqual([]);
    expect(result.checked.points).toBe(/list/.test(at.source) ? 3 : 2);
    expect((await bench.verify(true)).findings).toEqual([]);
  });

  it.each([
    ['before it comes to them', /^get log/],
    ['while it reads them', /^open index/],
    ['while it lists', /^list index/],
  ])('does not take for damage that segments are merged and removed %s', async (_, at) => {
    const bench = await makeVault();
    const result = await verifyBeside(bench, at, mergeAll, false);
    expect(result.findings).toEqual([]);
    expect(result.checked.points).toBe(3);
    expect((await bench.verify(true)).findings).toEqual([]);
  });

  it('does not take for garbage what a backup adds while it lists', async () => {
    const bench = await makeVault();
    const disk = await rawDisk(join(bench.folder, 'c'), noise(8 * BLOCK, 9));
    const result = await verifyBeside(bench, /^list packs/, async () => void (await bench.backup('c', [disk])));
    expect(result.findings).toEqual([]);
  });

  it('has no word for what is gone when it comes to look', async () => {
    const bench = await makeVault();
    const strays = [
      `packs/ab/${'ab'.repeat(32)}`,
      'staging/new-0',
      `locks/${'0'.repeat(32)}`,
      `locks/${'1'.repeat(32)}.0a`,
    ];
    for (const path of strays) await putFile(bench.store, path, new Uint8Array(200));
    const result = await verifyBeside(bench, /^size packs\/ab\/abab/, async ({ store }) => {
      for (const path of strays) await store.remove(path);
    });
    expect(result.findings).toMatchObject([{ severity: 'info', code: 'STAGING', where: 'staging/new-0' }]);
  });

  it('does not take for damage that a key slot is removed', async () => {
    const bench = await makeVault();
    const result = await verifyBeside(bench, /^size keys/, async (vault) => {
      const [slot] = vault.state.slots;
      await vault.commit(() => ({ type: 'key', slots: [] }));
      await vault.store.remove(`keys/${slot!.name}`);
    });
    expect(result.findings).toEqual([]);
  });

  it('tells what is gone without a word in the log, even if other things are condemned in that moment', async () => {
    const bench = await makeVault();
    let lost = '';
    const result = await verifyBeside(bench, /^size packs/, async (vault) => {
      await using segment = await openSegment(vault.store, vault.keys, segmentPath(vault.state.segments[0]!.segment));
      lost = packPath(segment.packs[0]!.name);
      await giveUpB(vault);
      await vault.store.remove(lost);
    });
    expect(result.findings).toMatchObject([{ severity: 'damage', code: 'PACK', where: lost }]);
  });

  it('and backups that come and go has nothing to warn of', async () => {
    const bench = await makeVault();
    const disk = await rawDisk(join(bench.folder, 'c'), noise(40 * BLOCK, 9));
    const results: VerifyResult[] = [];
    let isDone = false;
    const backups = (async () => {
      for (let n = 0; n < 4; n++) await bench.backup(`c${n}`, [disk], { type: 'full' });
      isDone = true;
    })();
    while (!isDone) results.push(await bench.verify(results.length % 2 === 0));
    await backups;
    expect(results.length).toBeGreaterThan(2);
    for (const { findings } of results)
      for (const { severity, code, what } of findings)
        expect({ severity, code, what }).toMatchObject({ severity: 'info' });
    expect((await bench.verify(true)).findings).toEqual([]);
  });
});
