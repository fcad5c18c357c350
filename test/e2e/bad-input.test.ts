import { copyFile, mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/base/random.ts';
import { convertImage } from '../../src/image/convert-image.ts';
import { runCli } from '../cli/run-cli.ts';
import { type BadRow, expectTold } from '../support/bad-row.ts';
import { programHome } from '../support/program-home.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { buildChain } from '../support/vhd-chain.ts';
import { link } from '../support/vhd-program.ts';

const temp = tempFolder({ inMemory: true });
const at = (...names: string[]): string => join(temp.path, ...names);
let env: Record<string, string> = {};
/** Sets a title, clears the screen, goes back, and turns the writing round. */
const HOSTILE = '\x1b]0;owned\x07\x1b[2J\r\b\u202e';

beforeAll(async () => {
  env = await programHome(temp.path);
  await writeFile(at('good.raw'), Buffer.alloc(1_048_576, 'good'));
  const common = { random: systemRandom, now: Date.now() };
  for (const format of ['dynamic', 'fixed'] as const)
    await convertImage(at('good.raw'), at(format === 'fixed' ? 'fixed.vhd' : 'good.vhd'), { format, ...common });
  await makeSpoiledImages();
  await makeChains();
  await writeFile(at('mine.svg'), 'mine');
  await mkdir(at('folder'));
  await symlink('circle-2.raw', at('circle-1.raw'));
  await symlink('circle-1.raw', at('circle-2.raw'));
  expect(await runCli(['init'], env)).toMatchObject({ exitCode: 0 });
  await writeFile(at('larger.raw'), Buffer.alloc(2_097_152, 'larger'));
  for (const [item, image] of [
    ['web01', 'good.vhd'],
    ['big', 'larger.raw'],
  ] as const)
    expect(await runCli(['backup', item, at(image)], env)).toMatchObject({ exitCode: 0 });
});

async function makeSpoiledImages(): Promise<void> {
  await writeFile(at('empty.vhd'), '');
  for (const image of ['good.vhd', 'fixed.vhd', 'good.raw']) {
    await copyFile(at(image), at(`cut-${image}`));
    await truncate(at(`cut-${image}`), 70_000);
  }
  const good = await readFile(at('good.vhd'));
  await writeFile(at('packed.vhd'), gzipSync(good));
  for (const footer of [0, good.byteLength - 512]) good[footer + 30] = (good[footer + 30] as number) ^ 1;
  await writeFile(at('damaged.vhd'), good);
  const vhdx = Buffer.alloc(1_048_576);
  vhdx.write('vhdxfile');
  await writeFile(at('disk.vhdx'), vhdx);
}

/** Of a child, link1.vhd, and its parent: gone, another, or a link that leads outside. */
async function makeChains(): Promise<void> {
  for (const folder of ['orphan', 'foster', 'lured', 'secret']) await mkdir(at(folder));
  for (const folder of ['orphan', 'foster', 'lured'])
    await buildChain(at(folder), [link('dynamic'), link('differencing')]);
  await rm(at('orphan', 'link0.vhd'));
  await copyFile(at('good.vhd'), at('foster', 'link0.vhd'));
  await copyFile(at('lured', 'link0.vhd'), at('secret', 'real.vhd'));
  await rm(at('lured', 'link0.vhd'));
  await symlink(at('secret', 'real.vhd'), at('lured', 'link0.vhd'));
}

const images: BadRow[] = [
  {
    title: 'a disk that is a folder',
    words: () => ['backup', 'i', at('folder')],
    is: [1, 'DISK_NOT_A_FILE'],
    tells: /folder is a folder/,
    cure: /name the image/,
  },
  {
    title: 'a disk that is a terminal or the like',
    words: () => ['backup', 'i', '/dev/null'],
    is: [1, 'DISK_NOT_A_FILE'],
    tells: /neither a file nor a block device/,
    cure: /name the image/,
  },
  {
    title: 'a disk that is not there',
    words: () => ['backup', 'i', at('gone.vhd')],
    is: [1, 'NOT_FOUND'],
    tells: /gone\.vhd failed: it does not exist/,
    cure: /check the path/,
  },
  {
    title: 'a disk below what is no folder',
    words: () => ['backup', 'i', at('good.raw', 'disk.vhd')],
    is: [1, 'NOT_FOUND'],
    tells: /disk\.vhd failed: .*a part of its path is no folder/,
    cure: /check the path/,
  },
  {
    title: 'links in a circle',
    words: () => ['backup', 'i', at('circle-1.raw')],
    is: [1, 'IO'],
    tells: /circle-1\.raw failed: its symbolic links lead in a circle/,
    cure: /ls -l/,
  },
  {
    title: 'a name that is too long',
    words: () => ['backup', 'i', at(`${'x'.repeat(300)}.vhd`)],
    is: [1, 'IO'],
    tells: /its name is too long/,
    cure: /shorter name/,
  },
  {
    title: 'a name that would play with the terminal',
    words: () => ['backup', 'i', at(`${HOSTILE}\nvhdvault: all is well.vhd`)],
    is: [1, 'NOT_FOUND'],
    tells: /all is well\.vhd failed: it does not exist/,
    cure: /check the path/,
  },
  {
    title: 'an empty disk',
    words: () => ['backup', 'i', at('empty.vhd')],
    is: [1, 'DISK_EMPTY'],
    tells: /empty\.vhd is empty/,
    cure: /check the path/,
  },
  {
    title: 'a truncated dynamic image',
    words: () => ['backup', 'i', at('cut-good.vhd')],
    is: [1, 'VHD_TRUNCATED'],
    tells: /cut-good\.vhd/,
    cure: /copy the image again/,
  },
  {
    title: 'a truncated fixed image',
    words: () => ['backup', 'i', at('cut-fixed.vhd')],
    is: [1, 'VHD_FOOTER_MISSING'],
    tells: /cut-fixed\.vhd has no VHD footer/,
    cure: /truncated: copy it again/,
  },
  {
    title: 'a truncated raw disk',
    words: () => ['backup', 'i', at('cut-good.raw')],
    is: [1, 'DISK_SIZE'],
    tells: /70000 bytes, which is not a multiple of 512/,
    cure: /whole sectors/,
  },
  {
    title: 'a gzip archive',
    words: () => ['backup', 'i', at('packed.vhd')],
    is: [1, 'DISK_FORMAT_UNSUPPORTED'],
    tells: /gzip/,
    cure: /gzip -dc/,
  },
  {
    title: 'a damaged footer',
    words: () => ['backup', 'i', at('damaged.vhd')],
    is: [1, 'VHD_FOOTER_CHECKSUM'],
    tells: /checksum/,
    cure: /copy the image again/,
  },
  {
    title: 'a VHDX',
    words: () => ['backup', 'i', at('disk.vhdx')],
    is: [1, 'DISK_FORMAT_UNSUPPORTED'],
    tells: /VHDX/,
    cure: /Convert-VHD .*qemu-img convert -O vpc -o force_size=on/,
  },
];

const parents: BadRow[] = [
  {
    title: 'a missing parent',
    words: () => ['backup', 'i', at('orphan', 'link1.vhd')],
    is: [1, 'VHD_PARENT_MISSING'],
    tells: /unique id [0-9a-f-]{36}\) is missing: tried .*orphan\/link0\.vhd/,
    cure: /--parent-root/,
  },
  {
    title: 'a wrong parent',
    words: () => ['backup', 'i', at('foster', 'link1.vhd')],
    is: [1, 'VHD_PARENT_WRONG'],
    tells: /link0\.vhd .*unique id is [0-9a-f-]{36}, expected [0-9a-f-]{36}/,
    cure: /--parent-root/,
  },
  {
    title: 'a parent that is a link to the outside',
    words: () => ['backup', 'i', at('lured', 'link1.vhd')],
    is: [1, 'VHD_PARENT_FORBIDDEN'],
    tells: /lured\/link0\.vhd, which leads to .*secret\/real\.vhd, outside of/,
    cure: /--parent-root .*secret/,
  },
  {
    title: 'a folder of parents that is a file',
    words: () => ['backup', 'i', at('orphan', 'link1.vhd'), '--parent-root', at('good.raw')],
    is: [2, 'USAGE'],
    tells: /parent root .*good\.raw is no folder/,
    cure: /name the folder/,
  },
  {
    title: 'a folder of parents that is not there',
    words: () => ['backup', 'i', at('orphan', 'link1.vhd'), '--parent-root', at('nowhere')],
    is: [1, 'NOT_FOUND'],
    tells: /nowhere failed: it does not exist/,
    cure: /check the path/,
  },
];

const targets: BadRow[] = [
  {
    title: 'a target that exists',
    words: () => ['restore', 'web01', '--to', at('good.vhd')],
    is: [1, 'TARGET_EXISTS'],
    tells: /good\.vhd exists/,
    cure: /--force/,
  },
  {
    title: 'a target below a file',
    words: () => ['restore', 'web01', '--to', at('good.raw', 'x.vhd')],
    is: [1, 'IO'],
    tells: /making the folder .*good\.raw failed: something else of that name is there/,
    cure: /another path/,
  },
  {
    title: 'a converted image that exists',
    words: () => ['vhd', 'convert', at('good.vhd'), at('good.raw')],
    is: [1, 'TARGET_EXISTS'],
    tells: /good\.raw exists/,
    cure: /--force/,
  },
  {
    title: 'a picture that exists',
    words: () => ['diff', 'web01', 'web01', '--svg', at('mine.svg')],
    is: [1, 'TARGET_EXISTS'],
    tells: /mine\.svg exists/,
    cure: /another file for --svg.*--force/,
  },
  {
    title: 'a comparison of disks of two sizes',
    words: () => ['diff', 'web01', 'big'],
    is: [1, 'DISK_SIZE'],
    tells: /good of web01@p[0-9a-f]{16} has \d+ bytes, larger of big@p[0-9a-f]{16} 2097152/,
    cure: /two points of one item/,
  },
  {
    title: 'a hook that fails where consistency is required',
    words: () => ['backup', 'i', at('good.raw'), '--require-consistency', '--pre', 'echo cannot freeze; exit 3'],
    is: [1, 'HOOK_FAILED'],
    tells: /--pre failed with exit code 3: cannot freeze: no point was made/,
    cure: /the command/,
  },
];

describe.each([
  ['an image', images],
  ['a chain', parents],
  ['what is asked for', targets],
] as const)('where %s is bad', (_, rows) => {
  it.each(rows)('$title: person and program read it and the cure, and nothing is written', async (row) => {
    await expectTold(row, temp.path, env);
  });
});
