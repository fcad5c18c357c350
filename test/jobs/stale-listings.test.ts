import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { repairVault } from '../../src/jobs/vault-repair-job.ts';
import type { RepairVaultResult } from '../../src/jobs/vault-repair-types.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { catalog } from '../../src/point/catalog.ts';
import { logEntryPath } from '../../src/vault/vault.ts';
import { survey } from '../../src/verify/survey.ts';
import { fillLog } from '../support/attacked-vault.ts';
import { readAll } from '../support/copied-store.ts';
import { fractions } from '../support/fractions.ts';
import { AT_ONCE, checkPoint, cloned, type GcScene, gcScene, idOf } from '../support/gc-scene.ts';
import { flipAt, hurt } from '../support/hurt-vault.ts';
import { diesBefore } from '../support/race.ts';
import { staleListings } from '../support/stale-listings.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { openBench } from '../support/vault-bench.ts';

/*
 * A listing only proposes: what it leaves out is not gone. So whatever names listings leave out, no point comes to harm, and nothing
 * is called damaged that is whole.
 */
const temp = tempFolder({ inMemory: true });
const SEEDS = process.env.VHDVAULT_LONG === '1' ? 40 : 3;
/** An entry that tells nothing. */
const SETTING = 30;
let base: GcScene;

/** Points of three items, one of them forgotten, checkpoints, several segments, and what a dead run left. */
beforeAll(async () => {
  base = await gcScene(temp.fresh('base'));
  await base.save('web', 'abcdefgh');
  const gone = await base.save('web', 'abcdXYZW');
  await base.save('web', 'abXY    1');
  await base.save('db', 'ijkl');
  await base.save('old', 'mnop');
  base.wrap(diesBefore('rename index/'));
  await expect(base.save('db', 'qrst')).rejects.toThrow();
  base.wrap();
  await using session = await base.bench.open();
  await fillLog(session, 40);
  await session.vault.commit(() => ({ type: 'forget', points: [idOf(gone)] }));
});

async function repair({ bench }: GcScene): Promise<RepairVaultResult> {
  await using session = await bench.open();
  return await repairVault(session);
}

/** Codes of what verify tells. */
async function told({ bench }: GcScene): Promise<Set<string>> {
  return new Set((await bench.verify(true)).findings.map(({ severity, code }) => `${severity} ${code}`));
}

const seeds = Array.from({ length: SEEDS }, (_, n) => n + 1);
/** Of neighbouring seeds, not alike. */
const numbers = (seed: number): (() => number) => fractions(Math.imul(seed, 0x9e37_79b1));

describe('where listings leave out names', () => {
  it.each(seeds)('backups, gcs, repairs and verify harm no point, and call nothing damaged (seed %i)', async (seed) => {
    const scene = await cloned(base);
    const random = numbers(seed);
    const stale = staleListings(random);
    for (let n = 0; n < 5; n++) {
      const what = Math.floor(random() * 4);
      const truth = what === 3 ? await told(scene) : new Set();
      scene.wrap(stale);
      if (what === 0) await scene.save(random() < 0.5 ? 'web' : 'db', `${n}bXY${seed % 10}   klmn`);
      else if (what === 1) await scene.gc(random() < 0.5 ? AT_ONCE : {});
      else if (what === 2) expect((await repair(scene)).actions).toEqual([]);
      else for (const finding of await told(scene)) expect(truth).toContain(finding);
      scene.wrap();
    }
    await scene.gc();
    await scene.check();
  });

  it.each(seeds)('a repair loses no pack of a damaged segment that tells their names (seed %i)', async (seed) => {
    const scene = await cloned(base);
    const { store } = scene.bench;
    const [name] = await segmentsOf(scene);
    await hurt(store, `index/${name}`, flipAt(130));
    scene.wrap(staleListings(numbers(seed)));
    const { actions } = await repair(scene);
    scene.wrap();
    expect(actions.map(({ action }) => action)).toContain('rebuild-index');
    await scene.gc();
    await scene.check();
  });

  it.each(seeds)(
    'what is behind a damaged entry is read all the same, and not called damaged (seed %i)',
    async (seed) => {
      const scene = await cloned(base);
      const { bench } = scene;
      await using _ = await hurt(bench.store, logEntryPath(SETTING), flipAt(120));
      for (const name of await bench.store.list('ckpt')) await bench.store.remove(`ckpt/${name}`);
      await rm(bench.cache, { recursive: true, force: true });
      const before = await readAll(bench.store);
      scene.wrap(staleListings(numbers(seed)));
      await using session = await bench.open();
      expect(session.vault.damage).toBeDefined();
      const seen = catalog(await session.vault.forReading()).map(({ id, manifest }) => `${manifest.item}@${id}`);
      expect(seen.length).toBeGreaterThanOrEqual(4);
      for (const ref of seen) await checkPoint(session, ref, scene.disks.get(ref)!);
      const { findings } = await verify(session, { readData: true });
      expect(findings.filter(({ severity }) => severity === 'damage')).toMatchObject([
        { code: 'LOG_ENTRY', points: [] },
      ]);
      expect((await repairVault(session)).actions).toEqual([]);
      expect(await readAll(bench.store)).toEqual(before);
    },
  );
});

test('folders that a listing leaves out are not told to be missing', async () => {
  const bench = await openBench(temp.fresh('folder'), { where: 'folder', inThread: true });
  for (const seed of seeds)
    expect((await survey(staleListings(numbers(seed))(bench.store))).missingFolders, `seed ${seed}`).toEqual([]);
  await rm(join(bench.address, 'packs/00'), { recursive: true });
  await rm(join(bench.address, 'lists'), { recursive: true });
  expect((await survey(bench.store)).missingFolders).toEqual(['lists', 'packs/00']);
});

async function segmentsOf({ bench }: GcScene): Promise<string[]> {
  await using session = await bench.open();
  return session.vault.state.segments.map(({ segment }) => segment);
}
