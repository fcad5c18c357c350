import { chmod, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { imageChain, imageFacts } from '../../src/image/vhd-parser.ts';
import { asUser } from '../support/as-user.ts';
import { buildChain } from '../support/vhd-chain.ts';
import { damaged } from '../support/vhd-damage.ts';
import { imageFolder } from '../support/vhd-folder.ts';
import { link } from '../support/vhd-program.ts';
import { writeBase, writeChild } from './child-image.ts';

const folder = imageFolder();
let count = 0;
let home = '';
let paths: string[] = [];
const at = (...names: string[]): string => join(home, ...names);

beforeEach(async () => {
  await chmod(folder.path, 0o755);
  home = folder.file(`chain${count++}`);
  await mkdir(at('below'), { recursive: true });
  paths = (await buildChain(home, [link('dynamic'), link('differencing'), link('differencing')])).paths;
});

describe('a chain', () => {
  it('is told as the facts of its images, with the children of each that are not of the chain', async () => {
    await writeChild(at('above.vhd'), { name: 'link2.vhd' }, { id: 11, parent: 2 });
    await writeChild(at('below', 'beside.vhd'), { name: 'x' }, { id: 12, parent: 0 });
    const { facts, findings, children } = await imageChain(paths[2]!);
    expect({ facts, findings }).toEqual(await imageFacts(paths[2]!));
    expect(children).toMatchObject([
      { path: at('above.vhd'), parent: paths[2], facts: { currentSize: 102400, parentUniqueId: expect.any(String) } },
      { path: at('below', 'beside.vhd'), parent: paths[0], facts: { format: 'vhd-differencing', parent: null } },
    ]);
  });

  it('from one of its middle images has the links above that as children', async () => {
    const { facts, children } = await imageChain(paths[1]!);
    expect(facts.parent).toMatchObject({ path: paths[0], parent: null });
    expect(children).toMatchObject([{ path: paths[2], parent: paths[1] }]);
  });

  it('has no image twice, also where one is named by a link', async () => {
    await symlink(paths[2]!, at('tip.avhd'));
    const { facts, children } = await imageChain(at('tip.avhd'));
    expect(facts).toMatchObject({ path: at('tip.avhd'), parent: { path: paths[1] } });
    expect(children).toEqual([]);
  });

  it('that is broken is told as far as it goes, the trouble as damage', async () => {
    await rm(paths[0]!);
    const { facts, findings, children } = await imageChain(paths[2]!);
    expect(facts.parent).toMatchObject({ path: paths[1], parent: null });
    expect(findings).toContainEqual(expect.objectContaining({ severity: 'damage', code: 'VHD_PARENT_MISSING' }));
    expect(children).toEqual([]);
  });

  it('finds children in the given folders of parents', async () => {
    const [bases, more] = [folder.file(`bases${count}`), folder.file(`more${count}`)];
    for (const path of [bases, more]) await mkdir(path);
    await rename(paths[0]!, join(bases, 'link0.vhd'));
    await writeChild(join(bases, 'beside.vhd'), { name: 'link0.vhd' }, { id: 13 });
    await writeChild(join(more, 'far.vhd'), { name: 'link1.vhd' }, { id: 14, parent: 1 });
    const { facts, children } = await imageChain(paths[2]!, { parentRoots: [bases, more] });
    expect(facts.parent!.parent!.path).toBe(join(bases, 'link0.vhd'));
    expect(children).toMatchObject([
      { path: join(bases, 'beside.vhd'), parent: join(bases, 'link0.vhd') },
      { path: join(more, 'far.vhd'), parent: paths[1] },
    ]);
  });
});

describe('a child beside a chain', () => {
  it('that is damaged is told, with a warning and what to do', async () => {
    await writeChild(at('hurt.vhd'), { name: 'link0.vhd' }, { id: 14 });
    await writeFile(at('hurt.vhd'), damaged(await readFile(at('hurt.vhd')), 512 + 60));
    const { findings, children } = await imageChain(paths[0]!);
    expect(children).toContainEqual(expect.objectContaining({ path: at('hurt.vhd'), parent: paths[0], facts: null }));
    expect(findings).toContainEqual(
      expect.objectContaining({
        severity: 'warning',
        code: 'VHD_HEADER_CHECKSUM',
        where: at('hurt.vhd'),
        offset: 512 + 36,
        cure: expect.stringMatching(/copy/),
      }),
    );
  });

  it('that cannot be looked for hides nothing of the chain', async () => {
    await writeFile(at('locked.vhd'), 'x'.repeat(5000));
    await chmod(at('locked.vhd'), 0);
    const { facts, findings, children } = await asUser(() => imageChain(paths[1]!));
    expect(facts.parent).toMatchObject({ path: paths[0] });
    expect(findings).toContainEqual(
      expect.objectContaining({
        severity: 'info',
        code: 'VHD_CHILDREN_UNKNOWN',
        what: expect.stringMatching(/locked\.vhd/),
      }),
    );
    expect(children).toEqual([]);
  });
});

it('an image without a parent is a chain of one, and a raw disk too', async () => {
  await writeBase(at('alone.vhd'), 1, 20);
  await writeFile(at('disk.raw'), Buffer.alloc(1024));
  for (const [name, format] of [
    ['alone.vhd', 'vhd-fixed'],
    ['disk.raw', 'raw'],
  ] as const)
    expect(await imageChain(at(name))).toMatchObject({ facts: { format, parent: null }, findings: [], children: [] });
});
