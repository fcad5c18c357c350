import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { openDisk } from '../../src/image/vhd-parser.ts';
import { sectorOf } from '../support/vhd-chain.ts';
import { imageFolder } from '../support/vhd-folder.ts';
import { opened, type ParentWords, writeBase, writeChild } from './child-image.ts';

const folder = imageFolder();
let count = 0;
let home = '';
const at = (...names: string[]): string => join(home, ...names);
const UUID = '9d2ab3a6-90a4-4f3b-8a1e-6f1d5a3c7e10';

beforeEach(async () => {
  home = folder.file(`names${count++}`);
  await mkdir(at('snapshots'), { recursive: true });
  await mkdir(at('store/VMs/web 01'), { recursive: true });
});

/** What the image says, where the parent lies, and the root that is given (none: the image's own folder must do). */
const found: [maker: string, words: ParentWords, parent: string, root?: string][] = [
  [
    'Hyper-V, moved to two folders',
    {
      locators: [
        ['W2ku', 'D:\\VMs\\base.vhd'],
        ['W2ru', '..\\..\\VMs\\base.vhd'],
      ],
      name: 'D:\\VMs\\base.vhd',
    },
    'store/base.vhd',
    'store',
  ],
  ['Hyper-V, the drive copied as it was', { name: 'D:\\VMs\\web 01\\base.vhd' }, 'store/VMs/web 01/base.vhd', 'store'],
  ['Hyper-V, on a share', { locators: [['W2ku', '\\\\server\\share\\VMs\\base.vhd']] }, 'store/VMs/base.vhd', 'store'],
  ['Hyper-V, a long path', { locators: [['W2ku', '\\\\?\\D:\\VMs\\base.vhd']] }, 'store/base.vhd', 'store'],
  ['Hyper-V, a long path on a share', { name: '\\\\?\\UNC\\server\\share\\base.vhd' }, 'store/base.vhd', 'store'],
  ['Hyper-V, a cluster', { name: '\\\\?\\Volume{1b3-5}\\VMs\\base.vhd' }, 'store/VMs/base.vhd', 'store'],
  ['a script, with slashes', { name: 'D:/VMs/base.vhd' }, 'store/VMs/base.vhd', 'store'],
  ['a script, without a folder', { name: 'D:base.vhd' }, 'snapshots/base.vhd'],
  ['a script, through another folder', { name: 'D:\\x\\VMs\\old\\..\\base.vhd' }, 'store/VMs/base.vhd', 'store'],
  ['XCP-ng', { locators: ['MacX', 'W2ku', 'W2ru'].map((code) => [code, blktap(code)]) }, `snapshots/${UUID}.vhd`],
  ['XCP-ng, only for a Mac', { locators: [['MacX', blktap('MacX')]] }, `snapshots/${UUID}.vhd`],
  ['XCP-ng, one code of two', { locators: [['W2ku', blktap('W2ku')]] }, `snapshots/${UUID}.vhd`],
  ['Xen Orchestra', { name: '../store/VMs/base.vhd' }, 'store/VMs/base.vhd', 'store'],
  [
    'VirtualBox',
    {
      locators: [
        ['W2ru', 'base.vhd'],
        ['W2ku', '/home/u/VMs/base.vhd'],
      ],
    },
    'snapshots/base.vhd',
  ],
  ['VirtualBox, moved', { locators: [['W2ku', '/home/u/VMs/base.vhd']] }, 'store/VMs/base.vhd', 'store'],
  [
    'Virtual PC',
    {
      locators: [
        ['Wi2r', '.\\base.vhd'],
        ['Wi2k', 'C:\\base.vhd'],
      ],
    },
    'snapshots/base.vhd',
  ],
  ['a Mac', { locators: [['MacX', 'file://localhost/VMs/my%20base.vhd']] }, 'store/my base.vhd', 'store'],
  ['a relative path below', { locators: [['W2ru', '.\\base\\base.vhd']] }, 'snapshots/base/base.vhd'],
];

function blktap(code: string): string {
  return code === 'MacX' ? `file://./${UUID}.vhd` : `.\\${UUID}.vhd`;
}

describe('a parent is found as named by', () => {
  it.each(found)('%s', async (_maker, words, parent, root) => {
    await mkdir(at(parent, '..'), { recursive: true });
    await writeBase(at(parent), 1);
    await writeChild(at('snapshots/child.avhd'), words);
    const roots = root === undefined ? [] : [at(root)];
    expect(await opened(at('snapshots/child.avhd'), roots)).toEqual({ first: sectorOf(0, 1), findings: [] });
    await rm(at(parent));
    await expect(opened(at('snapshots/child.avhd'), roots)).rejects.toMatchObject({ code: 'VHD_PARENT_MISSING' });
  });
});

describe('a parent whose name is in another case', () => {
  const child = (): string => at('snapshots/child.avhd');

  it('is found, as Windows would, and this is told', async () => {
    await writeBase(at('snapshots/disk.vhd'), 1);
    await writeChild(child(), { locators: [['W2ru', '.\\Disk.VHD']] });
    expect(await opened(child())).toEqual({ first: sectorOf(0, 1), findings: ['VHD_PARENT_CASE'] });
    await using disk = await openDisk(child());
    expect(disk.findings.find(({ code }) => code === 'VHD_PARENT_CASE')).toMatchObject({
      severity: 'info',
      where: child(),
      what: expect.stringMatching(/its parent is .*\/disk\.vhd: only upper and lower case differ from .*\/Disk\.VHD/),
    });
  });

  it('is found when it is a folder that is written otherwise, and when both are', async () => {
    await writeBase(at('store/VMs/web 01/base.vhd'), 2);
    for (const path of ['D:\\vms\\Web 01\\base.vhd', '\\\\srv\\VMS\\WEB 01\\BASE.VHD']) {
      await writeChild(child(), { name: path });
      expect(await opened(child(), [at('store')])).toEqual({ first: sectorOf(0, 2), findings: ['VHD_PARENT_CASE'] });
    }
  });

  it('is found when a Mac took its accents apart', async () => {
    await writeBase(at('snapshots', 'b\u00e4se.vhd'.normalize('NFD')), 3);
    await writeChild(child(), { name: 'B\u00c4SE.vhd' });
    expect((await opened(child())).first).toEqual(sectorOf(0, 3));
  });

  it('is not told where the very name exists', async () => {
    await writeBase(at('snapshots/Disk.VHD'), 1);
    await writeBase(at('snapshots/disk.vhd'), 2, 7);
    await writeChild(child(), { name: 'Disk.VHD' });
    expect(await opened(child())).toEqual({ first: sectorOf(0, 1), findings: [] });
  });

  it('is not guessed among several, and these are named', async () => {
    await writeBase(at('snapshots/disk.vhd'), 1);
    await writeBase(at('snapshots/DISK.vhd'), 1);
    await writeChild(child(), { name: 'Disk.VHD' });
    const error = opened(child());
    await expect(error).rejects.toMatchObject({ code: 'VHD_PARENT_MISSING' });
    await expect(error).rejects.toThrow(/Disk\.VHD \(several there differ .*(disk\.vhd, DISK|DISK\.vhd, disk)\.vhd\)/);
  });
});

describe('of several files with the name of the parent', () => {
  it('the one with its unique id is used, whichever root comes first', async () => {
    await writeChild(at('snapshots/child.avhd'), { name: 'D:\\VMs\\base.vhd' });
    await writeBase(at('snapshots/base.vhd'), 8, 8);
    await writeBase(at('store/base.vhd'), 9, 9);
    await writeBase(at('store/VMs/base.vhd'), 1);
    const roots = [at('store'), at('store/VMs')];
    for (const order of [roots, roots.toReversed()]) {
      expect((await opened(at('snapshots/child.avhd'), order)).first).toEqual(sectorOf(0, 1));
    }
    await expect(opened(at('snapshots/child.avhd'))).rejects.toMatchObject({ code: 'VHD_PARENT_WRONG' });
  });
});

describe('a chain of Hyper-V checkpoints', () => {
  const [first, second] = [
    'disk_0FE3C1B2-11A0-4C0E-9D58-AF0C2E1D7B01.avhd',
    'disk_7A5D9E40-62BB-4D3C-8F1E-0B9C4D2A6E55.avhd',
  ];

  async function checkpoints(): Promise<string> {
    await writeBase(at('store/disk.vhd'), 4);
    await writeChild(at('snapshots', first), said(`D:\\VMs\\disk.vhd`, '..\\VMs\\disk.vhd'), { id: 1, parent: 0 });
    await writeChild(at('snapshots', second), said(`D:\\Snapshots\\${first}`, `.\\${first}`), { id: 2, parent: 1 });
    return at('snapshots', second);
  }

  const said = (whole: string, relative: string): ParentWords => ({
    locators: [
      ['W2ku', whole],
      ['W2ru', relative],
    ],
    name: whole,
  });

  it('is read from its tip with its base in another folder', async () => {
    const tip = await checkpoints();
    expect(await opened(tip, [at('store')])).toEqual({ first: sectorOf(0, 4), findings: [] });
    await expect(opened(tip)).rejects.toMatchObject({
      code: 'VHD_PARENT_MISSING',
      details: { path: at('snapshots', first) },
    });
  });

  it('may come back from a root into the folder of the image', async () => {
    const tip = await checkpoints();
    await rename(at('snapshots', first), at('store', first));
    await rename(at('store/disk.vhd'), at('snapshots/disk.vhd'));
    expect((await opened(tip, [at('store')])).first).toEqual(sectorOf(0, 4));
  });

  it('may go up again from a folder below that of the image, but no higher', async () => {
    await mkdir(at('snapshots/below'));
    await writeChild(at('snapshots/tip.avhd'), { locators: [['W2ru', '.\\below\\mid.avhd']] }, { id: 2, parent: 1 });
    await writeChild(at('snapshots/below/mid.avhd'), { locators: [['W2ru', '..\\disk.vhd']] });
    await writeBase(at('snapshots/disk.vhd'), 5);
    expect((await opened(at('snapshots/tip.avhd'))).first).toEqual(sectorOf(0, 5));
    await rm(at('snapshots/disk.vhd'));
    await writeBase(at('disk.vhd'), 5);
    await writeChild(at('snapshots/below/mid.avhd'), { locators: [['W2ru', '..\\..\\disk.vhd']] });
    await expect(opened(at('snapshots/tip.avhd'))).rejects.toMatchObject({ code: 'VHD_PARENT_FORBIDDEN' });
  });
});

describe('a parent that is missing', () => {
  const child = (): string => at('snapshots/child.avhd');

  it('is told with all that was tried, the unique id, and where to put it', async () => {
    await writeChild(child(), {
      locators: [
        ['W2ru', '..\\base.vhd'],
        ['W2ku', 'D:\\My VMs\\base.vhd'],
      ],
    });
    const error = await opened(child(), [at('store')]).catch((failure: unknown) => failure as Error);
    const tried = [at('base.vhd'), at('snapshots/base.vhd'), at('store/base.vhd')];
    tried.push(at('snapshots/My VMs/base.vhd'), at('store/My VMs/base.vhd'));
    expect(error).toMatchObject({
      code: 'VHD_PARENT_MISSING',
      details: { expected: '10101010-1010-1010-1010-101010101010', tried: tried.join('\n') },
      hint: `put base.vhd into ${at('snapshots')}, or name the folder that it lies in here, for example --parent-root '/mnt/My VMs'`,
    });
    for (const path of [...tried, '10101010-1010-1010-1010-101010101010']) {
      expect((error as Error).message).toContain(path);
    }
  });

  it('and not even named is told so', async () => {
    await writeChild(child(), {});
    await expect(opened(child())).rejects.toMatchObject({
      code: 'VHD_PARENT_MISSING',
      message: expect.stringContaining('it names no path'),
      hint: expect.stringContaining('on the host that made it'),
    });
  });

  it('is not looked for in a root that is a file or not there', async () => {
    await writeBase(at('store/base.vhd'), 1);
    await writeChild(child(), { name: 'base.vhd' });
    await expect(opened(child(), [at('store/base.vhd')])).rejects.toMatchObject({
      code: 'USAGE',
      hint: expect.stringContaining(`--parent-root ${at('store')}`),
    });
    await expect(opened(child(), [at('stor')])).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining(at('stor')),
    });
  });
});
