import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { backup } from '../../src/jobs/backup-job.ts';
import { parseDiskArguments } from '../../src/jobs/disk-argument.ts';
import { previewBackup } from '../../src/jobs/preview-job.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { openBench } from '../support/vault-bench.ts';
import { buildChain } from '../support/vhd-chain.ts';
import { link } from '../support/vhd-program.ts';

const codeOf = (action: () => unknown): string | undefined => {
  try {
    action();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
};

describe('a disk argument', () => {
  const parse = (...texts: string[]) =>
    parseDiskArguments(texts, { cwd: '/w' }).map((disk) => [disk.name, disk.address.path]);

  test.each([
    ['os.vhd', 'os', '/w/os.vhd'],
    ['/images/data.2.vhd', 'data.2', '/images/data.2.vhd'],
    ['os=x.vhd', 'os', '/w/x.vhd'],
    ['os=/a=b.vhd', 'os', '/a=b.vhd'],
    ['./a=b.vhd', 'a-b', '/w/a=b.vhd'],
    ['-os=x.vhd', 'os-x', '/w/-os=x.vhd'],
    ['my disk (1).vhd', 'my-disk--1-', '/w/my disk (1).vhd'],
    ['/dev/sda', 'sda', '/dev/sda'],
    ['_x.raw', 'x', '/w/_x.raw'],
  ])('%s is the disk %s at %s', (text, name, path) => {
    expect(parse(text)).toEqual([[name, path]]);
  });

  test('with a name of more than 64 characters before = is a path, and its name is cut', () => {
    const long = 'n'.repeat(65);
    expect(parse(`${long}=x.vhd`)).toEqual([[long.slice(0, 64), `/w/${long}=x.vhd`]]);
  });

  test('keeps the order in which it was given, with format and absolute parent roots', () => {
    const disks = parseDiskArguments(['b.vhd', 'a.vhd'], { cwd: '/w', format: 'vhd', parentRoots: ['p', '/q'] });
    const more = { kind: 'file', format: 'vhd', parentRoots: ['/w/p', '/q'] };
    expect(disks).toEqual([
      { name: 'b', address: { ...more, path: '/w/b.vhd' } },
      { name: 'a', address: { ...more, path: '/w/a.vhd' } },
    ]);
  });

  test('that names a disk twice is refused, with the cure', () => {
    expect(() => parse('x/os.vhd', 'y/os.vhd')).toThrow(
      expect.objectContaining({ code: 'DISK_NAME', hint: 'give one of them another name: NAME=/w/y/os.vhd' }),
    );
  });

  test('without a path, or from whose path no name can be made, is refused', () => {
    expect(codeOf(() => parse('os='))).toBe('USAGE');
    expect(codeOf(() => parse('ディスク.vhd'))).toBe('DISK_NAME');
  });
});

describe('a disk as an object', () => {
  const os = { name: 'os', address: { kind: 'file', path: 'images/os.vhd', format: 'vhd' } } as const;

  test('is taken as it is, with an absolute path, next to disks as text', () => {
    expect(parseDiskArguments([os, '/b.vhd'])).toEqual([
      { name: 'os', address: { kind: 'file', path: resolve('images/os.vhd'), format: 'vhd' } },
      { name: 'b', address: { kind: 'file', path: '/b.vhd' } },
    ]);
  });

  test('may not have the name of another one', () => {
    expect(codeOf(() => parseDiskArguments([os, 'os=/b.vhd']))).toBe('DISK_NAME');
    expect(codeOf(() => parseDiskArguments([os, os]))).toBe('DISK_NAME');
  });

  test('must have a name that a disk can have', () => {
    expect(codeOf(() => parseDiskArguments([{ ...os, name: '../os' }]))).toBe('DISK_NAME');
  });

  test.each([
    ['a string instead of an array', 'os.vhd'],
    ['nothing', [null]],
    ['a number', [7]],
    ['no address', [{ name: 'os' }]],
    ['a path instead of an address', [{ name: 'os', path: '/os.vhd' }]],
    ['no path', [{ name: 'os', address: { kind: 'file' } }]],
    ['an empty path', [{ name: 'os', address: { kind: 'file', path: '' } }]],
    ['another kind', [{ name: 'os', address: { kind: 'blob', path: '/os.vhd' } }]],
  ])('that is %s is wrong usage, with the cure', (_, disks) => {
    expect(() => parseDiskArguments(disks as never)).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: expect.any(String) }),
    );
  });
});

describe('a backup of disks as text', () => {
  const temp = tempFolder({ inMemory: true });

  test('names them as told or after their files, and looks for parents where it may', async () => {
    const folder = temp.fresh('chain');
    await mkdir(join(folder, 'base'), { recursive: true });
    const { paths } = await buildChain(folder, [link('dynamic'), link('differencing')]);
    await rename(paths[0]!, join(folder, 'base/link0.vhd'));
    const bench = await openBench(temp.fresh('bench'));
    await using session = await bench.open();
    const disks = [`os=${paths[1]}`, join(folder, 'base/link0.vhd')];
    await expect(backup(session, 'web01', disks)).rejects.toMatchObject({ code: 'VHD_PARENT_MISSING' });
    const parentRoots = [join(folder, 'base')];
    const made = await backup(session, 'web01', disks, { parentRoots });
    expect(made.disks.map(({ name }) => name)).toEqual(['os', 'link0']);
    expect((await previewBackup(session, 'web01', disks, { parentRoots })).bytes.changed).toBe(0);
  });

  test('refuses what is no disk before it does anything', async () => {
    const bench = await openBench(temp.fresh('bench'));
    await using session = await bench.open();
    const ran = temp.fresh('ran');
    const options = { pre: `touch ${ran}` };
    await expect(backup(session, 'web01', ['os='], options)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(backup(session, 'web01', 'os.vhd' as never, options)).rejects.toMatchObject({ code: 'USAGE' });
    expect(existsSync(ran)).toBe(false);
  });
});
