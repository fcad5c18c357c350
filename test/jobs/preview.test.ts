import { chmod, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { previewBackup } from '../../src/jobs/preview-job.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;

async function scene(
  where: 'memory' | 'folder' = 'memory',
): Promise<{ bench: VaultBench; bytes: Uint8Array; path: string }> {
  const bench = await openBench(folder.fresh('preview'), { where });
  await mkdir(bench.folder, { recursive: true });
  return { bench, bytes: noise(300 * BLOCK, 1), path: join(bench.folder, 'disk.raw') };
}

async function tree(path: string): Promise<string[]> {
  return (await readdir(path, { recursive: true })).sort();
}

describe('the preview of a backup', () => {
  it('finds what the backup after it finds, and the vault is untouched', async () => {
    const { bench, bytes, path } = await scene();
    const disk = await rawDisk(path, bytes);
    for (const [n, changes] of [[0], [3, 17, 280], [], [299]].entries()) {
      for (const block of changes) bytes.set(noise(BLOCK, 50 + block + n), block * BLOCK);
      if (n === 3) bytes.fill(0, 5 * BLOCK, 9 * BLOCK);
      await rawDisk(path, bytes);
      const before = await bench.store.list('log');
      const expected = await bench.open().then(async (session) => {
        await using open = session;
        return await previewBackup(open, 'item', [disk]);
      });
      expect(await bench.store.list('log')).toEqual(before);
      expect([await bench.store.list('staging'), await bench.store.list('locks')]).toEqual([[], []]);
      const made = await bench.backup('item', [disk]);
      const { stored: _, ...blocks } = made.disks[0]!.blocks;
      expect(expected.disks[0]).toMatchObject({ blocks, root: made.disks[0]!.root, strip: made.disks[0]!.strip });
      expect(expected).toMatchObject({ dryRun: true, type: made.type, base: made.base, reason: made.reason });
      expect(expected.bytes).toEqual({ ...made.bytes, stored: 0 });
    }
  });

  it('works while another run holds the item, and on a vault that cannot be written, and runs no hook', async () => {
    const { bench, bytes, path } = await scene('folder');
    const disk = await rawDisk(path, bytes);
    await bench.backup('item', [disk]);
    const before = await tree(bench.address);
    await chmod(join(bench.address, 'locks'), 0o500);
    await chmod(join(bench.address, 'staging'), 0o500);
    await using session = await bench.open();
    const mark = join(bench.folder, 'ran');
    const found = await previewBackup(session, 'item', [], { pre: `touch '${mark}'`, post: `touch '${mark}'` });
    expect(found).toMatchObject({ bytes: { changed: 0 }, warnings: [] });
    expect(found.notices).toEqual([expect.stringContaining('are not run')]);
    expect(await tree(bench.address)).toEqual(before);
    await expect(readFile(mark)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
