import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packPath } from '../../src/vault/block-writer.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { beforePoint } from '../support/in-between.ts';
import { packsOf } from '../support/many-points.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const BLOCK = 16 * 1024;
const folder = tempFolder({ inMemory: true });

async function newBench(): Promise<VaultBench> {
  const path = folder.fresh('bench');
  await mkdir(path, { recursive: true });
  return await openBench(path);
}

/** As gc and sweep do it: the points are given up, the packs condemned, and their files are gone at once. */
async function giveUp(bench: VaultBench, points: string[], packs: string[]): Promise<void> {
  await using session = await bench.open();
  const { vault } = session;
  const ids = points.map((point) => point.slice(1));
  if (ids.length > 0) await vault.commit(() => ({ type: 'forget', points: ids }));
  await vault.commit(() => ({ type: 'condemn', points: ids, packs }));
  for (const pack of packs) await bench.store.remove(packPath(pack));
}

async function quarantine(bench: VaultBench, packs: string[]): Promise<void> {
  await using session = await bench.open();
  for (const pack of packs) await session.vault.commit(() => ({ type: 'quarantine', pack, frames: 'all' }));
  for (const pack of packs) await bench.store.remove(packPath(pack));
}

const inVault = async <T>(bench: VaultBench, work: (vault: Vault) => T): Promise<T> => {
  await using session = await bench.open();
  return work(session.vault);
};

describe('a backup that is beaten to the log', () => {
  it('by a gc that takes the packs which it relied on, reads again and stores what is missing (J4b)', async () => {
    const bench = await newBench();
    const bytes = noise(5 * BLOCK, 1);
    const first = await bench.backup('a', [await rawDisk(join(bench.folder, 'a'), bytes)]);
    const { packs } = await packsOf(bench);
    const other = Buffer.concat([bytes, noise(BLOCK, 2)]);
    const told = beforePoint(bench, () => giveUp(bench, [first.point], packs));
    const { point, notices } = await bench.backup('b', [await rawDisk(join(bench.folder, 'b'), other)]);
    expect(told.done).toBe(1);
    expect(notices.join()).toContain('read once more');
    expect(Buffer.compare(await bench.restored(`b@${point}`), other)).toBe(0);
    expect(await bench.verify(true)).toMatchObject({ ok: true });
  });

  it('by one that does it time and again, goes on until it is saved', async () => {
    const bench = await newBench();
    const bytes = noise(5 * BLOCK, 1);
    const shared = [noise(BLOCK, 7), noise(BLOCK, 8)];
    const victims: { point: string; packs: string[] }[] = [];
    for (const [n, more] of shared.entries()) {
      const from = (await packsOf(bench)).packs.length;
      const { point } = await bench.backup(`v${n}`, [await rawDisk(join(bench.folder, `v${n}`), more)]);
      victims.push({ point, packs: (await packsOf(bench)).packs.slice(from) });
    }
    const other = Buffer.concat([bytes, ...shared]);
    const told = beforePoint(
      bench,
      async () => {
        const { point, packs } = victims.shift()!;
        await giveUp(bench, [point], packs);
      },
      2,
    );
    const { point } = await bench.backup('b', [await rawDisk(join(bench.folder, 'b'), other)]);
    expect(told.done).toBe(2);
    expect(Buffer.compare(await bench.restored(`b@${point}`), other)).toBe(0);
  });

  it('by the loss of its base, does not rely on what only the base had (J4a)', async () => {
    const bench = await newBench();
    const bytes = noise(5 * BLOCK, 1);
    const first = await bench.backup('a', [await rawDisk(join(bench.folder, 'a'), bytes)]);
    const { packs } = await packsOf(bench);
    const changed = Uint8Array.from(bytes);
    changed.set(noise(BLOCK, 3), BLOCK);
    const told = beforePoint(bench, () => giveUp(bench, [first.point], packs));
    const { point, type, base } = await bench.backup('a', [await rawDisk(join(bench.folder, 'a'), changed)]);
    expect([told.done, type, base]).toEqual([1, 'full', null]);
    expect(Buffer.compare(await bench.restored(`a@${point}`), changed)).toBe(0);
    expect(await bench.verify(true)).toMatchObject({ ok: true });
  });

  it('by a forget of its base alone reads nothing twice: all is there still', async () => {
    const bench = await newBench();
    const bytes = noise(5 * BLOCK, 1);
    const first = await bench.backup('a', [await rawDisk(join(bench.folder, 'a'), bytes)]);
    const told = beforePoint(bench, () =>
      inVault(bench, (vault) => vault.commit(() => ({ type: 'forget', points: [first.point.slice(1)] }))).then(
        () => {},
      ),
    );
    const changed = Buffer.concat([bytes, noise(BLOCK, 3)]);
    const result = await bench.backup('a', [await rawDisk(join(bench.folder, 'a'), changed)]);
    expect([told.done, result.notices.join().includes('read once more')]).toEqual([1, false]);
    expect(Buffer.compare(await bench.restored(`a@${result.point}`), changed)).toBe(0);
  });

  it('by a gc of what it does not rely on reads nothing twice', async () => {
    const bench = await newBench();
    const other = await bench.backup('other', [await rawDisk(join(bench.folder, 'o'), noise(3 * BLOCK, 9))]);
    const { packs } = await packsOf(bench);
    const told = beforePoint(bench, () => giveUp(bench, [other.point], packs));
    const bytes = noise(5 * BLOCK, 1);
    const result = await bench.backup('a', [await rawDisk(join(bench.folder, 'a'), bytes)]);
    expect([told.done, result.notices.join().includes('read once more')]).toEqual([1, false]);
    expect(Buffer.compare(await bench.restored(`a@${result.point}`), bytes)).toBe(0);
  });

  it('by a quarantine of what it relied on stores that again', async () => {
    const bench = await newBench();
    const bytes = noise(5 * BLOCK, 1);
    await bench.backup('a', [await rawDisk(join(bench.folder, 'a'), bytes)]);
    const { packs } = await packsOf(bench);
    const told = beforePoint(bench, () => quarantine(bench, packs));
    const changed = Buffer.concat([bytes, noise(BLOCK, 3)]);
    const { point } = await bench.backup('a', [await rawDisk(join(bench.folder, 'a'), changed)]);
    expect(told.done).toBe(1);
    expect(Buffer.compare(await bench.restored(`a@${point}`), changed)).toBe(0);
  });
});

describe('after a quarantine', () => {
  it('the next backup stores again what is missing of an unchanged disk, says how much, and the one after it nothing', async () => {
    const bench = await newBench();
    const bytes = noise(5 * BLOCK, 1);
    const disks = [await rawDisk(join(bench.folder, 'a'), bytes)];
    await bench.backup('a', disks);
    const { packs } = await packsOf(bench);
    await quarantine(bench, packs);
    const healing = await bench.backup('a', disks);
    // Five blocks, and a page of each level of the map.
    expect(healing).toMatchObject({ type: 'incremental', healed: 9, bytes: { changed: 0 } });
    expect(Buffer.compare(await bench.restored(`a@${healing.point}`), bytes)).toBe(0);
    expect(await bench.backup('a', disks)).toMatchObject({ healed: 0, bytes: { stored: 0 } });
  });

  it('it does so without a checksum table and with the map lost, too', async () => {
    const bench = await newBench();
    const bytes = noise(5 * BLOCK, 1);
    const disks = [await rawDisk(join(bench.folder, 'a'), bytes)];
    await bench.backup('a', disks);
    const { packs } = await packsOf(bench);
    await quarantine(bench, packs);
    await using session = await bench.open({ cache: join(bench.folder, 'another-cache') });
    const { backup } = await import('../../src/jobs/backup-job.ts');
    const { point } = await backup(session, 'a', disks);
    expect(Buffer.compare(await bench.restored(`a@${point}`), bytes)).toBe(0);
  });

  it('a pack that is quarantined in part still serves reads, and nothing new refers to it', async () => {
    const bench = await newBench();
    const bytes = noise(5 * BLOCK, 1);
    const { point } = await bench.backup('a', [await rawDisk(join(bench.folder, 'a'), bytes)]);
    const { packs } = await packsOf(bench);
    await using session = await bench.open();
    for (const pack of packs) await session.vault.commit(() => ({ type: 'quarantine', pack, frames: [0] }));
    expect(Buffer.compare(await bench.restored(`a@${point}`), bytes)).toBe(0);
    const again = await bench.backup('b', [await rawDisk(join(bench.folder, 'b'), bytes)]);
    for (const pack of packs) await bench.store.remove(packPath(pack));
    expect(Buffer.compare(await bench.restored(`b@${again.point}`), bytes)).toBe(0);
  });
});

describe('the local index', () => {
  it('that did not see packs go before their names were forgotten is made anew', async () => {
    const bench = await newBench();
    const bytes = noise(5 * BLOCK, 1);
    const first = await bench.backup('a', [await rawDisk(join(bench.folder, 'a'), bytes)]);
    const { packs } = await packsOf(bench);
    await using elsewhere = await bench.open({ cache: join(bench.folder, 'elsewhere') });
    const { vault } = elsewhere;
    await giveUp(bench, [first.point], packs);
    const dropped = vault.state.segments.map(({ segment }) => segment);
    await vault.commit(() => ({ type: 'index-merge', adds: [], dropped }));
    await vault.commit(() => ({ type: 'swept', packs, segments: dropped }));
    expect(vault.state.condemned.size + vault.state.dropped.size).toBe(0);
    const { point, reason } = await bench.backup('b', [await rawDisk(join(bench.folder, 'b'), bytes)]);
    expect(reason).toContain('the local index was rebuilt (packs were swept since)');
    expect(Buffer.compare(await bench.restored(`b@${point}`), bytes)).toBe(0);
  });
});
