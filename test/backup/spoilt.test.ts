import { expect, it } from 'vitest';
import { gcScene } from '../support/gc-scene.ts';
import { spoilZstd } from '../support/spoilt-codec.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { text } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;

it('a backup whose codec spoils a block makes no point, and the next one makes it', async () => {
  const scene = await gcScene(folder.fresh('backup'), { compression: 'zstd' });
  {
    using _spoilt = spoilZstd(text(BLOCK, 2));
    await expect(scene.save('web', 'abcd')).rejects.toMatchObject({ code: 'BUG' });
  }
  await using session = await scene.bench.open();
  expect(session.vault.state.points.size).toBe(0);
  await scene.save('web', 'abcd');
  await scene.check();
});

it('a gc whose codec spoils a block that it stores anew gives up no pack for it, and the next one does', async () => {
  const scene = await gcScene(folder.fresh('repack'), { compression: 'zstd' });
  await scene.forget(await scene.save('web', 'abcdefghij'));
  await scene.save('web', 'abcYYYYYYY');
  {
    using _spoilt = spoilZstd(text(BLOCK, 2));
    await expect(scene.gc()).rejects.toMatchObject({ code: 'BUG' });
  }
  await scene.check();
  expect((await scene.gc()).repacked.packs).toBeGreaterThan(0);
  await scene.check();
});
