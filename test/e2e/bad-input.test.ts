import { copyFile, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/base/random.ts';
import { convertImage } from '../../src/image/convert-image.ts';
import { runCli } from '../cli/run-cli.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { buildChain } from '../support/vhd-chain.ts';
import { link } from '../support/vhd-program.ts';

const temp = tempFolder();
const at = (...names: string[]): string => join(temp.path, ...names);
const env = (): Record<string, string> => ({
  VHDVAULT_VAULT: at('vault'),
  VHDVAULT_PASSPHRASE: 'right',
  VHDVAULT_CACHE: at('cache'),
  VHDVAULT_STATE: at('state'),
});

/** A row: what is typed, what it must end with, and what must be told: the fact, and in the hint the cure. */
interface Row {
  title: string;
  words: () => string[];
  exit: number;
  code: string;
  tells: RegExp;
  cure: RegExp;
  env?: Record<string, string>;
}

beforeAll(async () => {
  await writeFile(at('good.raw'), Buffer.alloc(1_048_576, 'good'));
  const common = { random: systemRandom, now: Date.now() };
  await convertImage(at('good.raw'), at('good.vhd'), { format: 'dynamic', ...common });
  await mkdir(at('folder'));
  await writeFile(at('empty.vhd'), '');
  await copyFile(at('good.vhd'), at('cut.vhd'));
  await truncate(at('cut.vhd'), 70_000);
  await writeFile(at('packed.vhd'), gzipSync(await readFile(at('good.vhd'))));
  const bad = await readFile(at('good.vhd'));
  for (const footer of [0, bad.byteLength - 512]) bad[footer + 30] = (bad[footer + 30] as number) ^ 1;
  await writeFile(at('damaged.vhd'), bad);
  const vhdx = Buffer.alloc(1_048_576);
  vhdx.write('vhdxfile');
  await writeFile(at('disk.vhdx'), vhdx);
  for (const folder of ['orphan', 'foster']) {
    await mkdir(at(folder));
    await buildChain(at(folder), [link('dynamic'), link('differencing')]);
  }
  await copyFile(at('good.vhd'), at('foster', 'link0.vhd'));
  await rm(at('orphan', 'link0.vhd'));
  await mkdir(at('stranger'));
  await writeFile(at('stranger', 'letter.txt'), 'mine');
  expect(await runCli(['init'], env())).toMatchObject({ exitCode: 0 });
  expect(await runCli(['backup', 'web01', at('good.vhd'), '--json'], env())).toMatchObject({ exitCode: 0 });
  await mkdir(at('newer'));
  const config = await readFile(at('vault', 'vault.json'), 'utf8');
  await writeFile(at('newer', 'vault.json'), config.replace('"format": 0', '"format": 1'));
});

const rows: Row[] = [
  {
    title: 'no vault there',
    words: () => ['points', '--vault', at('nowhere')],
    exit: 10,
    code: 'VAULT_MISSING',
    tells: /no vault at .*nowhere/,
    cure: /vhdvault init/,
  },
  {
    title: 'no vault named',
    words: () => ['points'],
    exit: 2,
    code: 'USAGE',
    tells: /no vault/,
    cure: /--vault/,
    env: { VHDVAULT_VAULT: '' },
  },
  {
    title: 'a wrong passphrase',
    words: () => ['points'],
    exit: 12,
    code: 'VAULT_KEY_WRONG',
    tells: /opens none of the 1 key slots/,
    cure: /typing error/,
    env: { VHDVAULT_PASSPHRASE: 'wrong' },
  },
  {
    title: 'no passphrase',
    words: () => ['points'],
    exit: 12,
    code: 'VAULT_KEY_MISSING',
    tells: /no passphrase or key file/,
    cure: /--passphrase-file.*--key-file/,
    env: { VHDVAULT_PASSPHRASE: '' },
  },
  {
    title: 'a newer format',
    words: () => ['points', '--vault', at('newer')],
    exit: 1,
    code: 'VAULT_NEWER',
    tells: /format 1.*needs a newer vhdvault/,
    cure: /update vhdvault/,
  },
  {
    title: 'a vault where one is',
    words: () => ['init'],
    exit: 1,
    code: 'VAULT_EXISTS',
    tells: /already in .*vault/,
    cure: /use it/,
  },
  {
    title: 'a vault among files of others',
    words: () => ['init', at('stranger')],
    exit: 1,
    code: 'VAULT_EXISTS',
    tells: /not empty.*letter\.txt/,
    cure: /empty or a new folder/,
  },
  {
    title: 'a disk that is a folder',
    words: () => ['backup', 'i', at('folder')],
    exit: 1,
    code: 'DISK_NOT_A_FILE',
    tells: /folder is a folder/,
    cure: /name the image/,
  },
  {
    title: 'a disk that is not there',
    words: () => ['backup', 'i', at('gone.vhd')],
    exit: 1,
    code: 'NOT_FOUND',
    tells: /gone\.vhd does not exist/,
    cure: /check the path/,
  },
  {
    title: 'an empty disk',
    words: () => ['backup', 'i', at('empty.vhd')],
    exit: 1,
    code: 'DISK_EMPTY',
    tells: /empty\.vhd is empty/,
    cure: /./,
  },
  {
    title: 'a truncated disk',
    words: () => ['backup', 'i', at('cut.vhd')],
    exit: 1,
    code: 'VHD_TRUNCATED',
    tells: /cut\.vhd/,
    cure: /copy the image again/,
  },
  {
    title: 'a gzip archive',
    words: () => ['backup', 'i', at('packed.vhd')],
    exit: 1,
    code: 'DISK_FORMAT_UNSUPPORTED',
    tells: /gzip/,
    cure: /gzip -dc/,
  },
  {
    title: 'a damaged footer',
    words: () => ['backup', 'i', at('damaged.vhd')],
    exit: 1,
    code: 'VHD_FOOTER_CHECKSUM',
    tells: /checksum/,
    cure: /copy the image again/,
  },
  {
    title: 'a VHDX',
    words: () => ['backup', 'i', at('disk.vhdx')],
    exit: 1,
    code: 'DISK_FORMAT_UNSUPPORTED',
    tells: /VHDX/,
    cure: /Convert-VHD .*qemu-img convert -O vpc -o force_size=on/,
  },
  {
    title: 'a missing parent',
    words: () => ['backup', 'i', at('orphan', 'link1.vhd')],
    exit: 1,
    code: 'VHD_PARENT_MISSING',
    tells: /unique id .*missing: tried .*orphan\/link0\.vhd/,
    cure: /--parent-root/,
  },
  {
    title: 'a wrong parent',
    words: () => ['backup', 'i', at('foster', 'link1.vhd')],
    exit: 1,
    code: 'VHD_PARENT_WRONG',
    tells: /link0\.vhd .*unique id is .*expected/,
    cure: /--parent-root/,
  },
  {
    title: 'one disk name twice',
    words: () => ['backup', 'i', at('good.vhd'), `good=${at('good.raw')}`],
    exit: 2,
    code: 'DISK_NAME',
    tells: /two disks are named/,
    cure: /NAME=/,
  },
  {
    title: 'a bad item name',
    words: () => ['backup', 'a b', at('good.vhd')],
    exit: 2,
    code: 'ITEM_NAME',
    tells: /"a b"/,
    cure: /letters, digits/,
  },
  {
    title: 'a first backup without disks',
    words: () => ['backup', 'new'],
    exit: 2,
    code: 'USAGE',
    tells: /no disk was given/,
    cure: /vhdvault backup new DISK/,
  },
  {
    title: 'a target that exists',
    words: () => ['restore', 'web01', '--to', at('good.vhd')],
    exit: 1,
    code: 'TARGET_EXISTS',
    tells: /good\.vhd exists/,
    cure: /--force/,
  },
  {
    title: 'no such item',
    words: () => ['restore', 'web02', '--to', at('x.vhd')],
    exit: 16,
    code: 'NO_SUCH_ITEM',
    tells: /web02/,
    cure: /web01/,
  },
  {
    title: 'no such point',
    words: () => ['show', 'web01@p0123456789abcdef0'],
    exit: 16,
    code: 'NO_SUCH_POINT',
    tells: /no point/,
    cure: /vhdvault points web01/,
  },
  {
    title: 'no point so early',
    words: () => ['restore', 'web01@1999-12-31', '--to', at('x.vhd')],
    exit: 16,
    code: 'NO_SUCH_POINT',
    tells: /at or before/,
    cure: /oldest point/,
  },
  {
    title: 'an unknown command',
    words: () => ['frobnicate'],
    exit: 2,
    code: 'USAGE',
    tells: /frobnicate/,
    cure: /--help/,
  },
];

describe('bad input', () => {
  it.each(rows)('$title: person and program read what is wrong and the cure, and nothing is written', async (row) => {
    const before = await treeOf(temp.path);
    const settings = { ...env(), ...row.env };
    // One after the other: two runs on one item would meet its lock.
    const person = await runCli(row.words(), settings);
    const program = await runCli([...row.words(), '--json'], settings);
    expect([person.exitCode, program.exitCode, person.stdout]).toEqual([row.exit, row.exit, '']);
    for (const words of [`[${row.code}]`, row.tells, row.cure]) expect(person.stderr).toMatch(words);
    expect(person.stderr).not.toMatch(/\n\s+at |undefined|\[object|VHDVAULT_PASSPHRASE=/);
    const { schema, error } = JSON.parse(program.stdout) as Answer;
    expect({ schema, code: error.code }).toEqual({ schema: 1, code: row.code });
    expect(error.message).toMatch(row.tells);
    expect(error.hint).toMatch(row.cure);
    expect(await treeOf(temp.path)).toEqual(before);
  });
});

interface Answer {
  schema: number;
  error: { code: string; message: string; hint: string };
}

/** All paths, but for the cache and the state, which runs may touch. */
async function treeOf(folder: string): Promise<string[]> {
  const all = await readdir(folder, { recursive: true });
  return all.filter((path) => !/^(cache|state)/.test(path)).sort();
}
