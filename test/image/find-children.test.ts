import { chmod, copyFile, link as hardLink, mkdir, open, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { findChildren, formatUniqueId, parseUniqueId } from '../../src/image/vhd-parser.ts';
import { asUser } from '../support/as-user.ts';
import { runTool } from '../support/tool.ts';
import { buildChain, idOf } from '../support/vhd-chain.ts';
import { damaged, fixedImage, withFooter, withHeader } from '../support/vhd-damage.ts';
import { imageFolder } from '../support/vhd-folder.ts';
import { link } from '../support/vhd-program.ts';
import { writeBase, writeChild } from './child-image.ts';

const folder = imageFolder();
const opened = new AsyncDisposableStack();
let count = 0;
let home = '';
const at = (...names: string[]): string => join(home, ...names);

beforeEach(async () => {
  await chmod(folder.path, 0o755);
  home = folder.file(`family${count++}`);
  await mkdir(at('below', 'deeper'), { recursive: true });
  await writeBase(at('base.vhd'), 1);
  await writeChild(at('child.vhd'), { name: 'base.vhd' });
});
afterAll(() => opened.disposeAsync());

/** The names of the children of `parent`, whose unique id is that of `id`. */
async function childrenOf(parent: string, id: Uint8Array | null = idOf(0), folders: string[] = []): Promise<string[]> {
  const children = await findChildren({ path: at(parent), uniqueId: id }, folders);
  return children.map(({ path }) => path.replace(`${folder.path}/`, '').replace(`${basename(home)}/`, ''));
}

async function changed(path: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  await writeFile(path, change(await readFile(path)));
}

describe('the children of an image', () => {
  it('are the differencing images that name its unique id, with their own', async () => {
    await writeChild(at('also.avhd'), { name: 'anything' }, { id: 7 });
    await writeChild(at('of-another.vhd'), { name: 'base.vhd' }, { id: 8, parent: 5 });
    await writeChild(at('grandchild.vhd'), { name: 'child.vhd' }, { id: 9, parent: 1 });
    expect(await findChildren({ path: at('base.vhd'), uniqueId: idOf(0) }, [])).toEqual([
      { path: at('also.avhd'), uniqueId: formatUniqueId(idOf(7)) },
      { path: at('child.vhd'), uniqueId: formatUniqueId(idOf(1)) },
    ]);
  });

  it('are found in its folder, in given ones, and directly below, and nowhere else', async () => {
    const [given, other] = [folder.file(`given${count}`), folder.file(`other${count}`)];
    await mkdir(join(given, 'below', 'deeper'), { recursive: true });
    await mkdir(other);
    for (const place of [at(), given]) {
      for (const below of ['a.vhd', 'below/b.vhd', 'below/deeper/c.vhd'])
        await writeChild(join(place, below), { name: 'x' });
    }
    await writeChild(join(other, 'd.vhd'), { name: 'x' });
    await symlink(other, at('link-to-folder'));
    const name = basename(given);
    expect(await childrenOf('base.vhd', idOf(0), [given, at()])).toEqual([
      'a.vhd',
      'below/b.vhd',
      'child.vhd',
      `${name}/a.vhd`,
      `${name}/below/b.vhd`,
    ]);
  });

  it('are found in both folders of an image that is named by a link', async () => {
    const links = folder.file(`links${count}`);
    await mkdir(links);
    await symlink(at('base.vhd'), join(links, 'base.vhd'));
    await writeChild(join(links, 'own.vhd'), { name: 'base.vhd' });
    const children = await findChildren({ path: join(links, 'base.vhd'), uniqueId: idOf(0) }, []);
    expect(children.map(({ path }) => path)).toEqual([at('child.vhd'), join(links, 'own.vhd')]);
  });

  it('are told once, by the name of the file, however many names lead to it', async () => {
    const other = folder.file(`linked${count}`);
    await mkdir(other);
    await writeChild(join(other, 'far.vhd'), { name: 'x' });
    await symlink(join(other, 'far.vhd'), at('near.vhd'));
    await symlink(at('child.vhd'), at('a-link.vhd'));
    await hardLink(at('child.vhd'), at('second-name.vhd'));
    expect(await childrenOf('base.vhd')).toEqual(['child.vhd', `${basename(other)}/far.vhd`]);
  });

  it('are not the image itself, nor what is still being written', async () => {
    await changed(at('child.vhd'), (bytes) => withHeader(bytes, { parentUniqueId: idOf(1) }));
    await hardLink(at('child.vhd'), at('itself.vhd'));
    await writeChild(at('.new.vhd.0123456789ab.part'), { name: 'child.vhd' }, { parent: 1 });
    await writeChild(at('whole.part'), { name: 'child.vhd' }, { id: 3, parent: 1 });
    expect(await childrenOf('child.vhd', idOf(1))).toEqual(['whole.part']);
  });
});

describe('beside an image', () => {
  it('folders, pipes, sockets, links to nothing, empty and huge files are passed over', async () => {
    await mkdir(at('folder.vhd'));
    runTool('mkfifo', at('pipe.vhd'));
    await symlink('pipe.vhd', at('to-pipe.vhd'));
    await symlink('folder.vhd', at('to-folder.vhd'));
    await symlink('nothing', at('dangling.vhd'));
    await symlink('circle.vhd', at('circle.vhd'));
    await symlink('/dev/zero', at('device.vhd'));
    const server = opened.use(createServer());
    await new Promise<void>((resolve) => server.listen(at('socket.vhd'), resolve));
    await writeFile(at('empty.vhd'), '');
    await writeFile(at('short.vhd'), 'x'.repeat(2046));
    const huge = await open(at('huge.vhd'), 'wx');
    await huge.truncate(2 ** 43);
    await huge.close();
    expect(await childrenOf('base.vhd')).toEqual(['child.vhd']);
  });

  it('a damaged image that still names it is a child, by whichever footer is left', async () => {
    await rename(at('child.vhd'), at('whole.vhd'));
    const variants: Record<string, (bytes: Buffer) => Buffer> = {
      'bad-checksums': (bytes) => damaged(bytes, 30, -482, 512 + 60),
      'no-copy': (bytes) => bytes.fill(0, 0, 512),
      'no-footer': (bytes) => bytes.fill(0, bytes.length - 512),
      'footer-511': (bytes) => bytes.subarray(0, -1),
      'bad-table': (bytes) => bytes.fill(1, 1536, 2048),
      'type-lost': (bytes) => damaged(bytes, -449),
      'only-511': (bytes) => bytes.fill(0, 0, 512).subarray(0, -1),
      'of-no-type': (bytes) => damaged(withFooter(bytes, { type: 'dynamic' }), 30, -482),
      'header-lost': (bytes) => bytes.fill(0, 512, 1536),
      'both-footers-lost': (bytes) => bytes.fill(0, 0, 512).fill(0, bytes.length - 512),
      'offset-beyond': (bytes) => withFooter(bytes, { dataOffset: 2 ** 50 }),
    };
    for (const [name, change] of Object.entries(variants)) {
      await copyFile(at('whole.vhd'), at(`${name}.vhd`));
      await changed(at(`${name}.vhd`), change);
    }
    const found = 'bad-checksums bad-table footer-511 no-copy no-footer only-511 type-lost whole'.split(' ');
    expect(await childrenOf('base.vhd')).toEqual(found.map((name) => `${name}.vhd`));
  });

  it('what a guest writes into the first sectors of its disk makes no child of it', async () => {
    const lure = (await readFile(at('child.vhd'))).subarray(0, 1536);
    await writeFile(at('guest.vhd'), Buffer.concat([lure, fixedImage(102400)]));
    await changed(at('guest.vhd'), (bytes) => withFooter(bytes, { currentSize: bytes.length - 512 }, ['end']));
    await writeFile(at('guest.raw'), Buffer.concat([lure, Buffer.alloc(102400)]));
    await writeFile(at('named.vhd'), Buffer.concat([lure, Buffer.alloc(102400)]));
    expect(await childrenOf('base.vhd')).toEqual(['child.vhd', 'named.vhd']);
  });

  it('a file that may not be read stops the search if its name says VHD', async () => {
    await writeFile(at('unreadable.raw'), 'x'.repeat(10000));
    await chmod(at('unreadable.raw'), 0);
    await asUser(async () => expect(await childrenOf('base.vhd')).toEqual(['child.vhd']));
    await rename(at('unreadable.raw'), at('unreadable.AVHD'));
    await asUser(async () => {
      await expect(childrenOf('base.vhd')).rejects.toMatchObject({
        code: 'NO_PERMISSION',
        message: expect.stringMatching(/unreadable\.AVHD.*may hold a child/),
        hint: expect.stringMatching(/a user who may read it/),
      });
    });
  });

  it('a folder that may not be listed stops it, but for those of the file system', async () => {
    await mkdir(at('lost+found'), { mode: 0 });
    await asUser(async () => expect(await childrenOf('base.vhd')).toEqual(['child.vhd']));
    await mkdir(at('private'), { mode: 0 });
    await asUser(async () => {
      await expect(childrenOf('base.vhd')).rejects.toMatchObject({ code: 'NO_PERMISSION' });
    });
  });

  it('thousands of files are looked at in a few seconds', async () => {
    const many = folder.file(`many${count}`);
    await mkdir(many);
    const bytes = await readFile(at('child.vhd'));
    for (let n = 0; n < 3000; n++) await writeFile(join(many, `${n}.vhd`), bytes);
    const children = await findChildren({ path: at('base.vhd'), uniqueId: idOf(0) }, [many]);
    expect(children).toHaveLength(3001);
  }, 20_000);

  it('a folder that is none is told, and so is an image that is not there', async () => {
    await expect(childrenOf('base.vhd', idOf(0), [at('child.vhd')])).rejects.toMatchObject({ code: 'USAGE' });
    await expect(childrenOf('gone.vhd')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('the children of a raw disk', () => {
  const none = new Uint8Array(16);

  async function rawChild(name: string, words: Parameters<typeof writeChild>[1]): Promise<void> {
    await writeChild(at(name), words);
    await changed(at(name), (bytes) => withHeader(bytes, { parentUniqueId: none }));
  }

  beforeEach(async () => {
    await writeFile(at('disk.raw'), Buffer.alloc(102400, 7));
    await writeFile(at('other.raw'), Buffer.alloc(102400, 8));
  });

  it('name no unique id, and a path that leads to this very file', async () => {
    await rawChild('relative.vhd', { locators: [['W2ru', '.\\disk.raw']], name: 'other.raw' });
    await rawChild('absolute.vhd', { locators: [['W2ku', 'D:\\vm\\disk.raw']] });
    await rawChild('by-url.vhd', { locators: [['MacX', `file://${at('disk.raw')}`]] });
    await rawChild('by-name.vhd', { name: 'DISK.RAW' });
    await rawChild('below/up.vhd', { locators: [['W2ru', '..\\disk.raw']] });
    await rawChild('of-other.vhd', { locators: [['W2ru', '.\\other.raw']], name: 'disk.raw' });
    await rawChild('of-nothing.vhd', { name: 'nothing.raw' });
    expect(await childrenOf('disk.raw', null)).toEqual([
      'absolute.vhd',
      'below/up.vhd',
      'by-name.vhd',
      'by-url.vhd',
      'relative.vhd',
    ]);
    expect(await childrenOf('other.raw', null)).toEqual(['of-other.vhd']);
  });

  it('are found by links to it, and not where another file of that name lies nearer', async () => {
    await symlink(at('disk.raw'), at('below', 'alias.raw'));
    await writeFile(at('below', 'disk.raw'), 'another disk');
    await rawChild('below/by-link.vhd', { name: 'alias.raw' });
    await rawChild('below/of-the-near-one.vhd', { name: 'disk.raw' });
    expect(await childrenOf('disk.raw', null)).toEqual(['below/by-link.vhd']);
  });

  it('are found past a file outside of all folders, which would not be opened as their parent', async () => {
    const outside = folder.file(`outside${count}.raw`);
    await writeFile(outside, 'of a stranger');
    await rawChild('past.vhd', { locators: [['MacX', `file://${outside}`]], name: 'disk.raw' });
    expect(await childrenOf('disk.raw', null)).toEqual(['past.vhd']);
  });

  it('are also children of a VHD that they name without its unique id', async () => {
    await rawChild('raw-child.vhd', { locators: [['W2ru', '.\\base.vhd']] });
    expect(await childrenOf('base.vhd')).toEqual(['child.vhd', 'raw-child.vhd']);
  });

  it('are not those whose locators are beyond understanding', async () => {
    await rawChild('lost.vhd', { locators: [['W2ru', '.\\disk.raw']] });
    await changed(at('lost.vhd'), (bytes) => {
      bytes.writeUInt32BE(0xffffffff, 512 + 576 + 8);
      return bytes;
    });
    expect(await childrenOf('disk.raw', null)).toEqual([]);
  });
});

it('a chain of many images is found link by link', async () => {
  const chain = at('chain');
  await mkdir(chain);
  const built = await buildChain(chain, [link('dynamic'), link('differencing'), link('differencing')]);
  for (const [n, path] of built.paths.entries()) {
    const children = await findChildren({ path, uniqueId: idOf(n) }, []);
    expect(children.map((child) => child.path)).toEqual(built.paths.slice(n + 1, n + 2));
    for (const { uniqueId } of children) expect(parseUniqueId(uniqueId)).toEqual(idOf(n + 1));
  }
});
