import { copyFile, mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { createImage } from '../../src/image/create-image.ts';
import { type BadRow, expectTold } from '../support/bad-row.ts';
import { programHome } from '../support/program-home.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { buildChain } from '../support/vhd-chain.ts';
import { damaged, withFooter } from '../support/vhd-damage.ts';
import { link } from '../support/vhd-program.ts';

/* What the commands refuse that make, mend and change images: in text and as JSON, and every file stays as it is. */

const MIB = 1024 * 1024;
const temp = tempFolder({ inMemory: true });
const at = (...names: string[]): string => join(temp.path, ...names);
let env: Record<string, string> = {};

beforeAll(async () => {
  env = await programHome(temp.path);
  await writeFile(at('empty.vhd'), '');
  await writeFile(at('noise.vhd'), Buffer.alloc(70_000, 'noise'));
  await writeFile(at('disk.raw'), Buffer.alloc(65_536, 'raw'));
  await mkdir(at('folder'));
  await using disk = await createImage(at('good.vhd'), { type: 'dynamic', size: 10 * MIB });
  await disk.write(5 * MIB, new Uint8Array(65_536).fill(7));
  await disk.sync();
  await copyFile(at('good.vhd'), at('cut.vhd'));
  await truncate(at('cut.vhd'), 70_000);
  await writeFile(at('suspended.vhd'), withFooter(await readFile(at('good.vhd')), { savedState: true }));
  const [, child] = (await buildChain(at('folder'), [link('dynamic'), link('differencing')])).paths;
  await copyFile(child!, at('folder', 'beside.vhd'));
  await mkdir(at('alone'));
  await copyFile(child!, at('alone', 'link1.vhd'));
  await mkdir(at('hurt'));
  const [base] = (await buildChain(at('hurt'), [link('dynamic'), link('differencing')])).paths;
  await writeFile(base!, damaged(await readFile(base!), 512 + 36));
});

/** The words of each command that takes one image. */
const ON_IMAGES: Record<string, (path: string) => string[]> = {
  chain: (path) => ['vhd', 'chain', path],
  check: (path) => ['vhd', 'check', path],
  repair: (path) => ['vhd', 'repair', path],
  merge: (path) => ['vhd', 'merge', path],
  resize: (path) => ['vhd', 'resize', path, '--size', '20MiB'],
  parent: (path) => ['vhd', 'create', at('new.vhd'), '--parent', path],
};

const noImages = Object.entries(ON_IMAGES).map(
  ([name, words]): BadRow => ({
    title: `${name}: what is not there`,
    words: () => words(at('gone.vhd')),
    is: [1, 'NOT_FOUND'],
    tells: /gone\.vhd failed: it does not exist/,
    cure: /check the path/,
  }),
);

/** `check` and `repair` tell what is wrong with the content as findings. */
const notOpened = [
  ...['repair', 'merge', 'parent'].map((name) => [name, 'folder', 'DISK_NOT_A_FILE', /is a folder/, /name the image/]),
  ...['chain', 'parent'].map((name) => [name, 'empty.vhd', 'DISK_EMPTY', /empty\.vhd is empty/, /check the path/]),
  ['merge', 'noise.vhd', 'VHD_FOOTER_MISSING', /noise\.vhd has no VHD footer/, /truncated: copy it again/],
  ['resize', 'cut.vhd', 'VHD_TRUNCATED', /cut\.vhd/, /copy the image again/],
] as [string, string, string, RegExp, RegExp][];

type Row = readonly [title: string, words: () => string[], code: string, tells: RegExp, cure: RegExp];
const HELP = /`vhdvault vhd \w+ --help` tells more/;
const create = (...words: string[]): string[] => ['vhd', 'create', at('new.vhd'), ...words];
const resize = (...words: string[]): string[] => ['vhd', 'resize', at('good.vhd'), ...words];

const slips: readonly Row[] = [
  ['chain of nothing', () => ['vhd', 'chain'], 'USAGE', /FILE is missing/, HELP],
  ['merge of nothing', () => ['vhd', 'merge'], 'USAGE', /CHILD is missing/, HELP],
  ['two images at once', () => ['vhd', 'check', 'a.vhd', 'b.vhd'], 'USAGE', /too many arguments: b\.vhd/, HELP],
  ['resize without a size', () => resize(), 'USAGE', /--size is missing/, HELP],
  [
    'resize by what is added',
    () => resize('--size', '+10GiB'),
    'USAGE',
    /size of the disk afterwards.*"\+10GiB"/,
    /60GiB/,
  ],
  ['resize by what is taken', () => resize('--size=-10GiB'), 'USAGE', /size of the disk afterwards.*"-10GiB"/, /60GiB/],
  ['create without a name', () => ['vhd', 'create', '--size', '1MiB'], 'USAGE', /FILE is missing/, HELP],
  ['create without a size', () => create(), 'USAGE', /a dynamic image needs a size/, /--size 40GiB/],
  ['create with no size', () => create('--size', 'huge'), 'USAGE', /--size is no size: "huge"/, /KiB/],
  [
    'create of no type',
    () => create('--size', '1MiB', '--type', 'raw'),
    'USAGE',
    /"raw", .* fixed, dynamic, diff/,
    HELP,
  ],
  ['a child of nothing', () => create('--type', 'differencing'), 'USAGE', /needs a parent/, /--parent FILE/],
  [
    'a parent of what has none',
    () => create('--type', 'dynamic', '--size', '1MiB', '--parent', at('good.vhd')),
    'USAGE',
    /a dynamic image has no parent/,
    /leave --parent out/,
  ],
  [
    'blocks of a fixed image',
    () => create('--type', 'fixed', '--size', '1MiB', '--block-size', '2MiB'),
    'USAGE',
    /no use for --block-size/,
    /leave --block-size out/,
  ],
  [
    'a path of no parent',
    () => create('--size', '1MiB', '--windows-parent-path', 'D:\\a.vhd'),
    'USAGE',
    /no use for --windows-parent-path/,
    /leave --windows-parent-path out/,
  ],
  [
    'no possible block size',
    () => create('--size', '1MiB', '--block-size', '3MiB'),
    'USAGE',
    /blocks of 3145728 bytes/,
    /power of two/,
  ],
  ['merge without a parent', () => ['vhd', 'merge', at('good.vhd')], 'USAGE', /has no parent/, /differencing/],
];

const refusals: readonly Row[] = [
  ['create of half a sector', () => create('--size', '1000'), 'DISK_SIZE', /1000 bytes/, /multiple of 512/],
  ['resize to nothing', () => resize('--size', '0'), 'DISK_SIZE', /of 0 bytes/, /multiple of 512/],
  ['create of too much', () => create('--size', '3TiB'), 'VHD_TOO_LARGE', /more than the 2040 GiB/, /--type fixed/],
  [
    'resize to too much',
    () => resize('--size', '3TiB'),
    'VHD_TOO_LARGE',
    /more than the 2040 GiB/,
    /convert .* --format fixed/,
  ],
  [
    'create over what is there',
    () => ['vhd', 'create', at('good.vhd'), '--size', '1MiB'],
    'TARGET_EXISTS',
    /good\.vhd exists/,
    /--force/,
  ],
  [
    'create over a folder',
    () => ['vhd', 'create', at('folder'), '--size', '1MiB', '--force'],
    'TARGET_UNUSABLE',
    /folder is a folder/,
    /name a file/,
  ],
  [
    'create over its own parent',
    () => ['vhd', 'create', at('good.vhd'), '--parent', at('good.vhd'), '--force'],
    'TARGET_UNUSABLE',
    /good\.vhd is the source itself/,
    /another target/,
  ],
  [
    'create where no folder is',
    () => ['vhd', 'create', at('nowhere', 'a.vhd'), '--size', '1MiB'],
    'NOT_FOUND',
    /nowhere failed: it does not exist/,
    /check the path/,
  ],
  [
    'resize over data',
    () => resize('--size', '4MiB'),
    'DISK_NOT_EMPTY',
    /data up to byte 5308416/,
    /no smaller than 5308416/,
  ],
  [
    'resize of a suspended disk',
    () => ['vhd', 'resize', at('suspended.vhd'), '--size', '20MiB'],
    'VHD_SAVED_STATE',
    /suspended machine/,
    /shut it down/,
  ],
  [
    'merge beside another child',
    () => ['vhd', 'merge', at('folder', 'link1.vhd')],
    'VHD_HAS_CHILDREN',
    /link0\.vhd has other children: .*beside\.vhd/,
    /merge or remove them first/,
  ],
  [
    'merge of an orphan',
    () => ['vhd', 'merge', at('alone', 'link1.vhd')],
    'VHD_PARENT_MISSING',
    /is missing: tried .*link0\.vhd/,
    /--parent-root/,
  ],
  [
    'merge into a damaged parent',
    () => ['vhd', 'merge', at('hurt', 'link1.vhd')],
    'VHD_HEADER_CHECKSUM',
    /hurt\/link0\.vhd/,
    /copy the image again/,
  ],
];

const onImage = ([name, file, ...rest]: (typeof notOpened)[number]): Row => [
  `${name}: ${file}`,
  () => ON_IMAGES[name]!(at(file)),
  ...rest,
];
const asRows = (rows: readonly Row[]): BadRow[] =>
  rows.map(([title, words, code, tells, cure]) => ({
    title,
    words,
    is: [code === 'USAGE' ? 2 : 1, code],
    tells,
    cure,
  }));

describe.each([
  ['what is named', [...noImages, ...asRows(notOpened.map(onImage))]],
  ['what is typed', asRows(slips)],
  ['what is asked for', asRows(refusals)],
] as const)('where %s cannot be', (_, rows) => {
  // Text and JSON are made of one error in one place: each row is read by one of them, in turn.
  const told = rows.map((row, i) => ({ ...row, reader: i % 2 === 0 ? ('person' as const) : ('program' as const) }));

  it.each(told)('$title: a $reader reads it and the cure, and nothing is written', async ({ reader, ...row }) => {
    const before = await contents();
    await expectTold(row, temp.path, env, [reader]);
    expect(await contents()).toEqual(before);
  });
});

async function contents(): Promise<Buffer[]> {
  const names = ['good.vhd', 'cut.vhd', 'suspended.vhd', 'folder/link0.vhd', 'folder/link1.vhd', 'hurt/link0.vhd'];
  return await Promise.all(names.map((name) => readFile(at(name))));
}
