import { chmod, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { asUser } from '../support/as-user.ts';
import { describeWhere } from '../support/tool.ts';
import { sectorOf } from '../support/vhd-chain.ts';
import { imageFolder } from '../support/vhd-folder.ts';
import { opened, writeBase, writeChild } from './child-image.ts';

const folder = imageFolder();
let count = 0;
let home = '';
const at = (...names: string[]): string => join(home, ...names);
const child = (): string => at('vm/child.vhd');

beforeEach(async () => {
  await chmod(folder.path, 0o755);
  home = folder.file(`places${count++}`);
  for (const name of ['vm', 'store']) await mkdir(at(name), { recursive: true });
  await writeChild(child(), { locators: [['W2ru', '.\\base.vhd']] });
});

describe('a parent that may only be read', () => {
  it('is read, in a folder that may only be read, and stays as it is', async () => {
    await writeBase(at('store/base.vhd'), 1);
    const before = { bytes: await readFile(at('store/base.vhd')), times: await stat(at('store/base.vhd')) };
    await chmod(at('store/base.vhd'), 0o444);
    await chmod(child(), 0o444);
    for (const name of ['store', 'vm']) await chmod(at(name), 0o555);
    const { first, findings } = await asUser(() => opened(child(), [at('store')]));
    expect({ first, findings }).toEqual({ first: sectorOf(0, 1), findings: [] });
    expect(await readFile(at('store/base.vhd'))).toEqual(before.bytes);
    expect((await stat(at('store/base.vhd'))).mtimeMs).toBe(before.times.mtimeMs);
  });

  it('is found by its very name in a folder that may not be listed', async () => {
    await writeBase(at('store/base.vhd'), 1);
    await chmod(at('store'), 0o711);
    expect((await asUser(() => opened(child(), [at('store')]))).first).toEqual(sectorOf(0, 1));
  });
});

describe('a parent that may not be read', () => {
  it('is told as that, not as missing or wrong', async () => {
    await writeBase(at('vm/base.vhd'), 1, 9);
    await writeBase(at('store/base.vhd'), 1);
    await chmod(at('store/base.vhd'), 0);
    await expect(asUser(() => opened(child(), [at('store')]))).rejects.toMatchObject({
      code: 'NO_PERMISSION',
      message: expect.stringContaining(at('store/base.vhd')),
    });
  });

  it('does not hide another that may', async () => {
    await writeBase(at('vm/base.vhd'), 2);
    await chmod(at('vm/base.vhd'), 0);
    await writeBase(at('store/base.vhd'), 1);
    expect((await asUser(() => opened(child(), [at('store')]))).first).toEqual(sectorOf(0, 1));
  });

  it('because of its folder is told so', async () => {
    await writeChild(child(), { locators: [['W2ru', '.\\closed\\base.vhd']] });
    await mkdir(at('vm/closed'), { mode: 0 });
    await expect(asUser(() => opened(child()))).rejects.toMatchObject({
      code: 'VHD_PARENT_MISSING',
      message: expect.stringContaining(`${at('vm/closed/base.vhd')} (no permission to look there)`),
    });
  });
});

const [memory, disk] = await Promise.all(
  ['/dev/shm', tmpdir()].map((path) =>
    stat(path).then(
      ({ dev }) => dev,
      () => null,
    ),
  ),
);

describeWhere(
  memory !== null && memory !== disk,
  'no second file system is at hand',
  'a parent on another file system',
  () => {
    it('is found in a root', async () => {
      const elsewhere = await mkdtemp('/dev/shm/vhdvault-image-');
      try {
        await writeBase(join(elsewhere, 'base.vhd'), 1);
        await expect(opened(child())).rejects.toMatchObject({ code: 'VHD_PARENT_MISSING' });
        expect((await opened(child(), [elsewhere])).first).toEqual(sectorOf(0, 1));
      } finally {
        await rm(elsewhere, { recursive: true });
      }
    });
  },
);
