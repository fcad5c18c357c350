import { beforeAll, describe, expect, it } from 'vitest';
import { gc } from '../../src/jobs/gc-job.ts';
import type { GcResult } from '../../src/jobs/gc-types.ts';
import { lockItem } from '../../src/jobs/item-lock.ts';
import { createStaging } from '../../src/staging/staging-location.ts';
import type { Store } from '../../src/vault/open-store.ts';
import { fillLog } from '../support/attacked-vault.ts';
import { readAll, storeOf } from '../support/copied-store.ts';
import { diseasesOf } from '../support/every-damage.ts';
import { AT_ONCE, checkPoint, type GcScene, gcScene, idOf, objects } from '../support/gc-scene.ts';
import { diesBefore } from '../support/race.ts';
import { tempFolder } from '../support/temp-folder.ts';

const temp = tempFolder({ inMemory: true });
const SLOT = 'keys/0123456789abcdef';
let scene: GcScene;
let files: Map<string, Uint8Array>;
/** By what it is. */
let paths: Record<string, string>;
let live: string;
type Done = Pick<GcResult, 'condemned' | 'repacked' | 'merged' | 'warnings' | 'freedLater'> & {
  packs: number;
  segments: number;
};
/** What a gc does where none of it is hurt, and leaves of packs and segments. */
let usual: { done: Done; left: string[] };

/** Points to give up, of an item that is not backed up any more and of one that is; and what dead runs and a stranger left. */
beforeAll(async () => {
  scene = await gcScene(temp.fresh('hurt'));
  const gone = await scene.save('web', 'abcdef');
  live = await scene.save('web', 'abXY');
  const old = await scene.save('old', 'ghijkl');
  scene.wrap(diesBefore('rename index/'));
  await expect(scene.save('db', 'mnop')).rejects.toThrow();
  scene.wrap();
  const { store } = scene.bench;
  {
    await using session = await scene.bench.open();
    const { vault } = session;
    await fillLog(session, 64);
    await vault.commit(() => ({ type: 'forget', points: [gone, old].map(idOf) }));
    await createStaging(vault, 'f'.repeat(32), { item: 'other', started: 0 });
    for (const item of ['db', '(gc)', 'other']) {
      const path = `locks/${vault.nameHash('item', item)}`;
      const lock = await lockItem(vault, item);
      const bytes = await store.get(path);
      await lock[Symbol.asyncDispose]();
      await using file = await store.create(path);
      await file.write([bytes]);
    }
    files = await readAll(store);
    const [slot] = await store.list('keys');
    files.set(SLOT, Uint8Array.from(files.get(`keys/${slot}`)!));
    const job = [...vault.state.opened.keys()][0]!;
    paths = {
      journal: `staging/AzureBackup-${job}/journal`,
      'lock of an item': `locks/${vault.nameHash('item', 'db')}`,
      'lock of gc': `locks/${vault.nameHash('item', '(gc)')}`,
      'newest checkpoint': `ckpt/${String(64).padStart(20, '0')}`,
      'unlisted slot': SLOT,
    };
  }
  usual = await collectedFrom(files);
});

/** By a gc of a machine that never saw the vault. */
async function collectedFrom(from: ReadonlyMap<string, Uint8Array>): Promise<typeof usual> {
  const store = await storeOf(from, 'hurt-bookkeeping');
  const folder = temp.fresh('machine');
  const machine = { cache: `${folder}/cache`, state: `${folder}/state`, parts: { store: store.address } };
  await using session = await scene.bench.open(machine);
  const { condemned, repacked, merged, swept, warnings, freedLater } = await gc(session, AT_ONCE);
  await checkPoint(session, live, scene.disks.get(live)!);
  expect(session.vault.state.opened.size).toBe(0);
  const { packs, segments } = swept;
  return { done: { condemned, repacked, merged, packs, segments, warnings, freedLater }, left: await leftIn(store) };
}

/** But for the names of what a gc writes itself. */
async function leftIn(store: Store): Promise<string[]> {
  const there = await objects(store);
  const sizes = await Promise.all(there.map(async (path) => (files.has(path) ? path : `${await store.size(path)}`)));
  return sizes.sort();
}

describe('a gc', () => {
  it('condemns, sweeps, repacks and gives up the dead run here', () => {
    expect(usual.done).toMatchObject({ condemned: { points: 2 }, warnings: [], freedLater: [] });
    for (const what of ['condemned', 'packs'] as const)
      expect(JSON.stringify(usual.done[what])).not.toMatch(/"packs":0|^0$/);
    expect(Object.values(paths).filter((path) => !files.has(path))).toEqual([]);
  });

  it.each(['journal', 'lock of an item', 'lock of gc', 'newest checkpoint', 'unlisted slot'])(
    'does all of it beside any disease, too: %s',
    async (kind) => {
      const path = paths[kind]!;
      const neighbour = [...files].find(([other]) => other !== path && folderOf(other) === folderOf(path))?.[1];
      for (const { name, bytes } of diseasesOf(files.get(path)!, neighbour)) {
        const hurt = new Map(files);
        if (bytes) hurt.set(path, bytes);
        else hurt.delete(path);
        expect(await collectedFrom(hurt), name).toEqual(usual);
      }
    },
  );
});

const folderOf = (path: string): string => path.slice(0, path.indexOf('/'));
