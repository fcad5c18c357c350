import { rm } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { repairVault } from '../../src/jobs/vault-repair-job.ts';
import type { RepairVaultResult } from '../../src/jobs/vault-repair-types.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import { readAll } from '../support/copied-store.ts';
import { type GcScene, idOf } from '../support/gc-scene.ts';
import { flipAt, hurt, readMaps } from '../support/hurt-vault.ts';
import { longHistory } from '../support/long-history.ts';
import { tempFolder } from '../support/temp-folder.ts';

const temp = tempFolder({ inMemory: true });
const DAY = 24 * 3_600_000;
let scene: GcScene;

/** Besides all that gcs merged, repacked and swept: what is quarantined, healed, pinned, forgotten, condemned, and of a run that died. */
beforeAll(async () => {
  scene = await longHistory(temp.fresh('long'));
  const gone = await scene.save('short', 'stuvwxyz');
  await scene.forget(gone, await scene.save('web', 'aXZ'));
  await scene.gc({ softDelete: 0, grace: DAY });
  const { bench } = scene;
  const kept = await scene.save('shop', 'KLMNOPQR');
  const { disks, places } = await readMaps(bench, 'shop');
  const { pack, offset } = places.get(disks[0]!.blocks[1]!)![0]!;
  await hurt(bench.store, packPath(pack), flipAt(offset + 20));
  expect((await repair()).actions).toMatchObject([{ action: 'quarantine', where: packPath(pack) }]);
  expect((await bench.backup('shop', [shopDisk()])).healed).toBeGreaterThan(0);
  await scene.forget(kept);
  await scene.commit({ type: 'pin', point: idOf(kept), until: Number.MAX_SAFE_INTEGER });
  await scene.forget(await scene.save('web', 'aXZcd      UVW  '));
});

function shopDisk(): { name: string; address: { kind: 'file'; path: string; format: 'raw' } } {
  return { name: 'disk', address: { kind: 'file', path: `${scene.bench.folder}/shop.raw`, format: 'raw' } };
}

async function repair(dryRun = false): Promise<RepairVaultResult> {
  await using session = await scene.bench.open();
  return await repairVault(session, { dryRun });
}

describe('a repair of a vault with a long history', () => {
  it('has something of each kind here', async () => {
    await using session = await scene.bench.open();
    const { quarantined, condemned, points, segments } = session.vault.state;
    expect([...quarantined.keys()].filter((pack) => !condemned.has(pack))).toHaveLength(1);
    expect([condemned.size > 0, segments.length > 1]).toEqual([true, true]);
    const all = [...points.values()];
    expect(all.filter(({ pinned }) => pinned).length).toBeGreaterThan(0);
    expect(all.filter(({ forgotten, pinned }) => forgotten && !pinned).length).toBeGreaterThan(0);
  });

  it.each(['the machine that made it', 'one without a cache'])('changes not one byte, on %s', async (machine) => {
    const { bench } = scene;
    if (machine !== 'the machine that made it') await rm(bench.cache, { recursive: true });
    const before = await readAll(bench.store);
    for (const dryRun of [true, false, false]) {
      expect(await repair(dryRun)).toMatchObject({ ok: true, actions: [] });
      expect(await readAll(bench.store)).toEqual(before);
    }
    await scene.check();
  });
});
