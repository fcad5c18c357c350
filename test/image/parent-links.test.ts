import { link as hardLink, mkdir, rename, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { imageFacts } from '../../src/image/vhd-parser.ts';
import { sectorOf } from '../support/vhd-chain.ts';
import { imageFolder } from '../support/vhd-folder.ts';
import { opened, writeBase, writeChild } from './child-image.ts';

const folder = imageFolder();
let count = 0;
let home = '';
const at = (...names: string[]): string => join(home, ...names);
const child = (): string => at('vm/child.vhd');

beforeEach(async () => {
  home = folder.file(`links${count++}`);
  for (const name of ['vm/below', 'store', 'secret']) await mkdir(at(name), { recursive: true });
  await writeChild(child(), { locators: [['W2ru', '.\\base.vhd']] });
});

describe('a parent that is a symbolic link', () => {
  it('is opened where it leads into the folder of the image or into a root', async () => {
    await writeBase(at('vm/below/real.vhd'), 1);
    await symlink('below/real.vhd', at('vm/base.vhd'));
    expect((await opened(child())).first).toEqual(sectorOf(0, 1));
    await rename(at('vm/below/real.vhd'), at('store/real.vhd'));
    await unlink(at('vm/base.vhd'));
    await symlink(at('store/real.vhd'), at('vm/base.vhd'));
    expect((await opened(child(), [at('store')])).first).toEqual(sectorOf(0, 1));
  });

  it('is refused where it leads outside, and told are where it leads and what allows it', async () => {
    await writeBase(at('secret/real.vhd'), 1);
    await symlink('../secret/real.vhd', at('vm/base.vhd'));
    const refusal = {
      code: 'VHD_PARENT_FORBIDDEN',
      details: { path: at('vm/base.vhd'), found: at('secret/real.vhd') },
    };
    await expect(opened(child(), [at('store')])).rejects.toMatchObject({
      ...refusal,
      message: `the parent of ${child()} would be ${at('vm/base.vhd')}, which leads to ${at('secret/real.vhd')}, outside of ${at('vm')}, ${at('store')}`,
      hint: `if that is the right file, allow its folder: --parent-root ${at('secret')}`,
    });
    expect((await opened(child(), [at('secret')])).first).toEqual(sectorOf(0, 1));
  });

  it('is refused where it leads into a folder whose name only begins like an allowed one', async () => {
    await mkdir(at('vm-2'));
    await writeBase(at('vm-2/real.vhd'), 1);
    await symlink('../vm-2/real.vhd', at('vm/base.vhd'));
    await expect(opened(child())).rejects.toMatchObject({ code: 'VHD_PARENT_FORBIDDEN' });
  });

  it('to a link is judged by where the last one leads', async () => {
    await writeBase(at('secret/real.vhd'), 1);
    await symlink(at('secret/real.vhd'), at('store/middle.vhd'));
    await symlink(at('store/middle.vhd'), at('vm/base.vhd'));
    await expect(opened(child(), [at('store')])).rejects.toMatchObject({ code: 'VHD_PARENT_FORBIDDEN' });
    await rename(at('secret/real.vhd'), at('vm/below/real.vhd'));
    await unlink(at('store/middle.vhd'));
    await symlink(at('vm/below/real.vhd'), at('store/middle.vhd'));
    expect((await opened(child())).first).toEqual(sectorOf(0, 1));
  });

  it('to nothing, or in a circle, is missing, and that is told', async () => {
    await symlink('gone.vhd', at('vm/base.vhd'));
    await expect(opened(child())).rejects.toMatchObject({
      code: 'VHD_PARENT_MISSING',
      message: expect.stringContaining(`${at('vm/base.vhd')} (a link to ${at('vm/gone.vhd')}, which is not there)`),
    });
    await symlink('base.vhd', at('vm/gone.vhd'));
    await expect(opened(child())).rejects.toMatchObject({
      code: 'VHD_PARENT_MISSING',
      message: expect.stringContaining(`${at('vm/base.vhd')} (links that lead in a circle)`),
    });
  });

  it('to nothing does not hide the parent in a root', async () => {
    await symlink('gone.vhd', at('vm/base.vhd'));
    await writeBase(at('store/base.vhd'), 2);
    expect((await opened(child(), [at('store')])).first).toEqual(sectorOf(0, 2));
  });

  it('to the image itself is not its parent', async () => {
    await symlink('child.vhd', at('vm/base.vhd'));
    await expect(opened(child())).rejects.toMatchObject({ code: 'VHD_PARENT_WRONG' });
    await writeChild(child(), { name: 'base.vhd' }, { id: 3, parent: 3 });
    await expect(opened(child())).rejects.toMatchObject({ code: 'VHD_CHAIN' });
  });

  it('in another case is judged as any other', async () => {
    await writeBase(at('secret/real.vhd'), 1);
    await symlink(at('secret/real.vhd'), at('vm/BASE.vhd'));
    await expect(opened(child())).rejects.toMatchObject({ code: 'VHD_PARENT_FORBIDDEN' });
    const { first, findings } = await opened(child(), [at('secret')]);
    expect({ first, findings }).toEqual({ first: sectorOf(0, 1), findings: ['VHD_PARENT_CASE'] });
  });
});

describe('a folder that is a symbolic link', () => {
  it('on the way to the image, or as a root, is what it leads to', async () => {
    await symlink(at('vm'), at('vm-link'));
    await symlink(at('store'), at('store-link'));
    await writeBase(at('vm/base.vhd'), 1);
    expect((await opened(at('vm-link/child.vhd'))).first).toEqual(sectorOf(0, 1));
    await rename(at('vm/base.vhd'), at('store/base.vhd'));
    expect((await opened(at('vm-link/child.vhd'), [at('store-link')])).first).toEqual(sectorOf(0, 1));
    expect((await opened(child(), [at('store-link')])).first).toEqual(sectorOf(0, 1));
  });

  it('on the way to the parent may not lead outside, in whatever case it is written', async () => {
    await writeBase(at('secret/base.vhd'), 1);
    await symlink(at('secret'), at('vm/disks'));
    for (const name of ['disks', 'Disks']) {
      await writeChild(child(), { locators: [['W2ru', `.\\${name}\\base.vhd`]] });
      await expect(opened(child()), name).rejects.toMatchObject({ code: 'VHD_PARENT_FORBIDDEN' });
      expect((await opened(child(), [at('secret')])).first).toEqual(sectorOf(0, 1));
    }
    // Outside, names are not even listed to find out about their case.
    await writeChild(child(), { locators: [['W2ru', '.\\disks\\BASE.vhd']] });
    await expect(opened(child())).rejects.toMatchObject({ code: 'VHD_PARENT_MISSING' });
  });

  it('is not gone up from: `..` takes back what is written, as on Windows', async () => {
    await mkdir(at('secret/deep'));
    await symlink(at('secret/deep'), at('vm/disks'));
    await writeBase(at('secret/base.vhd'), 9);
    await writeBase(at('vm/base.vhd'), 1);
    await writeChild(child(), { locators: [['W2ru', '.\\disks\\..\\base.vhd']] });
    expect((await opened(child())).first).toEqual(sectorOf(0, 1));
  });
});

describe('an image that was named by a symbolic link', () => {
  beforeEach(async () => {
    await mkdir(at('links'));
    await mkdir(at('middle'));
    await symlink(at('middle/current.vhd'), at('links/current.vhd'));
    await symlink(at('vm/child.vhd'), at('middle/current.vhd'));
  });

  it('has its parent in the folder of the file or in that of the link', async () => {
    await writeBase(at('vm/base.vhd'), 1);
    expect((await opened(at('links/current.vhd'))).first).toEqual(sectorOf(0, 1));
    await rename(at('vm/base.vhd'), at('links/base.vhd'));
    expect((await opened(at('links/current.vhd'))).first).toEqual(sectorOf(0, 1));
  });

  it('has it in neither the folder of a link between them, nor in that of the link when the file is named', async () => {
    await writeBase(at('middle/base.vhd'), 1);
    await expect(opened(at('links/current.vhd'))).rejects.toMatchObject({ code: 'VHD_PARENT_MISSING' });
    await rename(at('middle/base.vhd'), at('links/base.vhd'));
    await expect(opened(child())).rejects.toMatchObject({ code: 'VHD_PARENT_MISSING' });
  });

  it('has the one with the right unique id', async () => {
    await writeBase(at('vm/base.vhd'), 9, 9);
    await writeBase(at('links/base.vhd'), 1);
    expect((await opened(at('links/current.vhd'))).first).toEqual(sectorOf(0, 1));
  });
});

describe('a hard link', () => {
  it('is a file like any other, wherever its other names are', async () => {
    await writeBase(at('secret/base.vhd'), 1);
    await hardLink(at('secret/base.vhd'), at('vm/base.vhd'));
    await hardLink(child(), at('store/child.vhd'));
    expect((await opened(child())).first).toEqual(sectorOf(0, 1));
    expect((await opened(at('store/child.vhd'), [at('secret')])).first).toEqual(sectorOf(0, 1));
  });
});

describe('whatever an image says', () => {
  it('its parent is opened inside of the allowed folders or not at all', async () => {
    for (const name of ['base.vhd', 'secret/base.vhd', 'secret/vm/base.vhd']) {
      await mkdir(at(name, '..'), { recursive: true });
      await writeBase(at(name), 9);
    }
    await symlink(at('secret'), at('vm/out'));
    await symlink('..', at('vm/below/up'));
    await symlink(at('secret/base.vhd'), at('vm/below/link.vhd'));
    for (const name of ['vm/base.vhd', 'vm/below/base.vhd']) await writeBase(at(name), 1);
    const names = ['..', '.', 'vm', 'out', 'OUT', 'below', 'up', 'Up', 'secret', 'link.vhd', 'base.vhd', 'BASE.VHD'];
    const starts = [
      '',
      'C:\\',
      '\\\\server\\',
      '\\\\?\\UNC\\',
      'file://',
      'file:///',
      'file://%2e%2e/',
      `${home}/`,
      `file://${home}/`,
    ];
    const text = fc
      .tuple(
        fc.constantFrom(...starts),
        fc.array(fc.constantFrom(...names), { maxLength: 5 }),
        fc.constantFrom('/', '\\', '%2f'),
      )
      .map(([start, parts, separator]) => start + parts.join(separator));
    let opened = 0;
    await fc.assert(
      fc.asyncProperty(text, fc.constantFrom('W2ru', 'W2ku', 'MacX', 'name'), async (path, code) => {
        await writeChild(child(), code === 'name' ? { name: path } : { locators: [[code, path]] });
        const { facts, findings } = await imageFacts(child());
        if (facts.parent === null) {
          expect(findings.at(-1)?.code).toMatch(/^VHD_PARENT_(MISSING|WRONG|FORBIDDEN)$/);
          return;
        }
        opened++;
        expect([at('vm/base.vhd'), at('vm/below/base.vhd')]).toContain(facts.parent.path);
      }),
      { numRuns: 300, seed: 7 },
    );
    expect(opened).toBeGreaterThan(50);
  });
});
