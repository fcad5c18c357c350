import { expect, it } from 'vitest';
import { underOwnJob } from '../../src/prune/own-job.ts';
import { segmentPath } from '../../src/vault/block-index.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import { putFile } from '../support/copied-store.ts';
import { gcScene } from '../support/gc-scene.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
const [PACK, SEGMENT, MERGED] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string];

it('what a job added stays, though somebody merged its segment into his own before it ended', async () => {
  const scene = await gcScene(folder.fresh('merged'));
  const { store } = scene.bench;
  await using session = await scene.bench.open();
  const { vault } = session;
  const added = (segment: string) => [{ segment, size: 1, packs: 1, bytes: 1 }];
  await underOwnJob(vault, 'repack', async (own) => {
    for (const path of [packPath(PACK), segmentPath(SEGMENT)]) await putFile(store, path, Uint8Array.of(1));
    own.packs.push(PACK);
    own.segments.push(SEGMENT);
    await vault.commit(() => ({ type: 'repack', adds: added(SEGMENT), packs: [] }), { job: own.job });
    const job = 'd'.repeat(32);
    await vault.openJob(job, 'staging', 'index-merge');
    await vault.commit(() => ({ type: 'index-merge', adds: added(MERGED), dropped: [SEGMENT] }), { job });
  });
  expect(vault.state.segments.map(({ segment }) => segment)).toContain(MERGED);
  expect(await store.size(packPath(PACK))).toBe(1);
});

it('what a job stored and did not add goes with it', async () => {
  const scene = await gcScene(folder.fresh('failed'));
  const { store } = scene.bench;
  await using session = await scene.bench.open();
  const failed = underOwnJob(session.vault, 'repack', async (own) => {
    await putFile(store, packPath(PACK), Uint8Array.of(1));
    own.packs.push(PACK);
    throw new Error('it failed');
  });
  await expect(failed).rejects.toThrow('it failed');
  expect(await store.size(packPath(PACK))).toBeUndefined();
  expect(session.vault.state.opened.size).toBe(0);
});
