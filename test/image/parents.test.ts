import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { imageFacts, openDisk } from '../../src/image/vhd-parser.ts';
import { buildChain, encodeLink, idOf, type LocatorStyle, sectorOf } from '../support/vhd-chain.ts';
import { imageFolder } from '../support/vhd-folder.ts';
import { link } from '../support/vhd-program.ts';
import { writeChild } from './child-image.ts';

const folder = imageFolder();
let count = 0;
let home = '';
let child = '';
let parent = '';

async function pair(locator: LocatorStyle): Promise<void> {
  home = folder.file(`pair${count++}`);
  await mkdir(join(home, 'children'), { recursive: true });
  const base = link('fixed', { writes: [{ sector: 0, count: 1, seed: 1 }] });
  const built = await buildChain(join(home, 'children'), [base, link('differencing', { locator })]);
  [parent, child] = built.paths as [string, string];
}

async function moveParent(to: string): Promise<string> {
  const path = join(home, to);
  await mkdir(dirname(path), { recursive: true });
  await rename(parent, path);
  return path;
}

async function firstSector(parentRoots: string[] = []): Promise<Uint8Array> {
  await using disk = await openDisk(child, { parentRoots });
  const bytes = new Uint8Array(512);
  await disk.read(0, bytes);
  return bytes;
}

describe('the parent of a differencing image', () => {
  beforeEach(() => pair('W2ku'));

  it('is found by each kind of locator, by the name alone, and by a Windows path in the name', async () => {
    for (const locator of ['W2ru', 'W2ku', 'MacX', 'name', 'path-name'] as const) {
      await pair(locator);
      expect(await firstSector(), locator).toEqual(sectorOf(0, 1));
    }
  });

  it('is found in a given root, by its name or by the last folders of its path', async () => {
    await moveParent('store/Virtual Machines/link0.vhd');
    await expect(firstSector()).rejects.toMatchObject({ code: 'VHD_PARENT_MISSING' });
    expect(await firstSector([join(home, 'store')])).toEqual(sectorOf(0, 1));
    expect(await firstSector([join(home, 'store/Virtual Machines')])).toEqual(sectorOf(0, 1));
  });

  it('is found when its name is written in another case, as Windows may', async () => {
    await rename(parent, join(home, 'children/LINK0.vhd'));
    expect(await firstSector()).toEqual(sectorOf(0, 1));
    await writeFile(join(home, 'children/Link0.vhd'), 'another');
    await expect(firstSector()).rejects.toMatchObject({ code: 'VHD_PARENT_MISSING' });
  });

  it('is refused when missing, with every path that was tried and the id', async () => {
    await rm(parent);
    const error = await openDisk(child).catch((failure: unknown) => failure as Error);
    expect(error).toMatchObject({ code: 'VHD_PARENT_MISSING' });
    expect((error as Error).message).toContain(parent);
    expect((error as Error).message).toContain('10101010-1010-1010-1010-101010101010');
  });

  it('is refused when its id differs, with the path, the id expected and the id found', async () => {
    await writeFile(parent, encodeLink(link('fixed'), { id: idOf(7), parentId: idOf(0), parentPath: '' }));
    await expect(openDisk(child)).rejects.toMatchObject({
      code: 'VHD_PARENT_WRONG',
      details: {
        path: parent,
        expected: '10101010-1010-1010-1010-101010101010',
        found: '17171717-1717-1717-1717-171717171717',
      },
    });
  });

  it('is refused when it is a file of another kind', async () => {
    await writeFile(parent, new Uint8Array(4096));
    await expect(openDisk(child)).rejects.toMatchObject({ code: 'VHD_PARENT_WRONG' });
    await rm(parent);
    await mkdir(parent);
    await expect(openDisk(child)).rejects.toMatchObject({ code: 'VHD_PARENT_WRONG' });
  });

  it('is passed over for another of the same name with the right id', async () => {
    await moveParent('store/link0.vhd');
    await writeFile(parent, encodeLink(link('fixed'), { id: idOf(7), parentId: idOf(0), parentPath: '' }));
    expect(await firstSector([join(home, 'store')])).toEqual(sectorOf(0, 1));
  });

  it('is never opened outside of the folder and the roots, not even through a symbolic link', async () => {
    const outside = await moveParent('secret/link0.vhd');
    await symlink(outside, parent);
    await expect(openDisk(child)).rejects.toMatchObject({ code: 'VHD_PARENT_FORBIDDEN' });
    expect(await firstSector([join(home, 'secret')])).toEqual(sectorOf(0, 1));
  });

  it('is never opened at an absolute or climbing path that leaves the folder', async () => {
    const outside = await moveParent('link0-elsewhere.vhd');
    for (const name of [outside, '..\\link0-elsewhere.vhd', 'file://../link0-elsewhere.vhd', `file://${outside}`]) {
      await writeChild(child, { name });
      await expect(openDisk(child), name).rejects.toMatchObject({ code: 'VHD_PARENT_FORBIDDEN' });
      expect(await firstSector([home])).toEqual(sectorOf(0, 1));
    }
    for (const name of ['\\\\server\\share\\x.vhd', '\\\\?\\C:\\x.vhd', 'NUL', '', 'a\0b']) {
      await writeChild(child, { name });
      await expect(openDisk(child), name).rejects.toMatchObject({ code: 'VHD_PARENT_MISSING' });
    }
  });

  it('may be a fixed disk or, with an all-zero id, a raw file', async () => {
    const own = join(home, 'raw');
    await mkdir(own);
    const base = link('raw', { writes: [{ sector: 0, count: 1, seed: 4 }] });
    const { paths } = await buildChain(own, [base, link('differencing')]);
    child = paths[1]!;
    expect(await firstSector()).toEqual(sectorOf(0, 4));
    expect((await imageFacts(child)).facts.parent?.format).toBe('raw');
  });

  it('is no raw file for an image that is not named as a VHD, because its guest may have written the footer', async () => {
    const own = join(home, 'unnamed');
    await mkdir(own);
    const { paths } = await buildChain(own, [link('raw'), link('differencing')]);
    await rename(paths[1]!, join(own, 'disk.img'));
    await expect(openDisk(join(own, 'disk.img'))).rejects.toMatchObject({ code: 'VHD_PARENT_FORBIDDEN' });
    await using disk = await openDisk(join(own, 'disk.img'), { format: 'vhd' });
    expect(disk.format).toBe('vhd-differencing');
  });

  it('that is the image itself, or its descendant, is refused', async () => {
    await writeFile(child, encodeLink(link('differencing'), { id: idOf(1), parentId: idOf(1), parentPath: child }));
    await expect(openDisk(child)).rejects.toMatchObject({ code: 'VHD_CHAIN' });
    await writeFile(child, encodeLink(link('differencing'), { id: idOf(1), parentId: idOf(0), parentPath: parent }));
    await writeFile(parent, encodeLink(link('differencing'), { id: idOf(0), parentId: idOf(1), parentPath: child }));
    await expect(openDisk(child)).rejects.toMatchObject({ code: 'VHD_CHAIN' });
  });

  it('that is missing does not keep the image from being described', async () => {
    await rm(parent);
    const { facts, findings } = await imageFacts(child);
    expect(facts).toMatchObject({
      format: 'vhd-differencing',
      diskType: 4,
      parent: null,
      parentUniqueId: '10101010-1010-1010-1010-101010101010',
      locators: [{ code: 'W2ku', path: 'C:\\Virtual Machines\\link0.vhd' }],
    });
    expect(findings).toContainEqual(expect.objectContaining({ severity: 'damage', code: 'VHD_PARENT_MISSING' }));
  });
});
