import { mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Ended, runCli } from '../cli/run-cli.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { sectorOf } from '../support/vhd-chain.ts';
import { writeBase, writeChild } from './child-image.ts';

const temp = tempFolder({ inMemory: true });
const at = (...names: string[]): string => join(temp.path, ...names);
const tip = (): string => at('snapshots/disk_2.avhd');
const roots = (): string[] => ['--parent-root', at('other'), '--parent-root', at('store')];
const env = (): Record<string, string> => ({
  VHDVAULT_VAULT: at('vault'),
  VHDVAULT_CACHE: at('cache'),
  VHDVAULT_STATE: at('state'),
});
const run = (...words: string[]): Promise<Ended> => runCli(words, env());
const documentOf = ({ stdout }: Ended): Record<string, unknown> => JSON.parse(stdout) as Record<string, unknown>;

/** Two checkpoints over a base in another folder, in another case; another base of the same name comes first. */
beforeAll(async () => {
  for (const name of ['snapshots', 'store', 'other', 'secret']) await mkdir(at(name));
  await writeBase(at('other/disk.vhd'), 9, 9);
  await writeBase(at('store/Disk.VHD'), 1);
  await writeChild(at('snapshots/disk_1.avhd'), { name: 'D:\\VMs\\disk.vhd' }, { id: 1, parent: 0 });
  await writeChild(tip(), { locators: [['W2ru', '.\\disk_1.avhd']] }, { id: 2, parent: 1 });
  expect(await run('init', '--unencrypted')).toMatchObject({ exitCode: 0 });
});

describe('--parent-root', () => {
  it('lets `vhd info` tell the whole chain', async () => {
    const ended = await run('vhd', 'info', tip(), ...roots(), '--json');
    expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
    expect(documentOf(ended)).toMatchObject({
      ok: true,
      path: tip(),
      parent: { path: at('snapshots/disk_1.avhd'), parent: { path: at('store/Disk.VHD'), parent: null } },
      findings: expect.arrayContaining([expect.objectContaining({ severity: 'info', code: 'VHD_PARENT_CASE' })]),
    });
    const alone = documentOf(await run('vhd', 'info', tip(), '--json'));
    expect(alone).toMatchObject({
      ok: false,
      parent: { parent: null },
      findings: expect.arrayContaining([
        expect.objectContaining({
          severity: 'damage',
          code: 'VHD_PARENT_MISSING',
          cure: expect.stringContaining('--parent-root'),
        }),
      ]),
    });
  });

  it('lets `vhd map` tell whose the sectors are', async () => {
    const ended = await run('vhd', 'map', tip(), ...roots(), '--json');
    expect(documentOf(ended)).toMatchObject({ extents: [{ offset: 0, length: 102400, kind: 'parent' }] });
    expect(await run('vhd', 'map', tip())).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/disk\.vhd.* is missing: tried .*VHD_PARENT_MISSING.*\n.*--parent-root/),
    });
  });

  it('lets `vhd convert` make one image of the chain', async () => {
    expect(await run('vhd', 'convert', tip(), at('flat.raw'), ...roots())).toMatchObject({ exitCode: 0 });
    expect((await readFile(at('flat.raw'))).subarray(0, 512)).toEqual(Buffer.from(sectorOf(0, 1)));
    const refused = await run('vhd', 'convert', tip(), at('other.raw'), '--parent-root', at('other'), '--json');
    expect(documentOf(refused)).toMatchObject({ error: { code: 'VHD_PARENT_WRONG' } });
  });

  it('lets `backup` save what the machine would see', async () => {
    const ended = await run('backup', 'web01', `os=${tip()}`, ...roots(), '--json');
    expect(ended).toMatchObject({ exitCode: 0 });
    expect(await run('restore', 'web01', '--to', at('back.raw'))).toMatchObject({ exitCode: 0 });
    expect((await readFile(at('back.raw'))).subarray(0, 512)).toEqual(Buffer.from(sectorOf(0, 1)));
    expect(documentOf(await run('backup', 'web02', tip(), '--json'))).toMatchObject({
      error: { code: 'VHD_PARENT_MISSING', hint: expect.stringContaining('--parent-root') },
    });
  });

  it('that a refusal names is the one that helps', async () => {
    await writeBase(at('secret/hidden.vhd'), 3, 3);
    await symlink(at('secret/hidden.vhd'), at('snapshots/linked.vhd'));
    await writeChild(at('snapshots/child.vhd'), { name: 'linked.vhd' }, { id: 4, parent: 3 });
    const { error } = documentOf(await run('vhd', 'map', at('snapshots/child.vhd'), '--json')) as { error: Problem };
    expect(error).toMatchObject({ code: 'VHD_PARENT_FORBIDDEN', message: expect.stringContaining('leads to') });
    const named = /--parent-root (\S+)$/.exec(error.hint)![1]!;
    expect(await run('vhd', 'map', at('snapshots/child.vhd'), '--parent-root', named)).toMatchObject({ exitCode: 0 });
  });

  it('that is no folder is wrong usage, not damage', async () => {
    expect(await run('vhd', 'info', tip(), '--parent-root', at('store/Disk.VHD'))).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(`--parent-root ${at('store')}`),
    });
  });
});

interface Problem {
  code: string;
  message: string;
  hint: string;
}
