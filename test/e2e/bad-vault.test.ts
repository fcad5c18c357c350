import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../cli/run-cli.ts';
import { type BadRow, expectTold } from '../support/bad-row.ts';
import { canMakeReadOnly, readOnly } from '../support/mounts.ts';
import { programHome } from '../support/program-home.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWhere } from '../support/tool.ts';

const temp = tempFolder({ inMemory: true });
const at = (...names: string[]): string => join(temp.path, ...names);
let env: Record<string, string> = {};
const CLEAR = { VHDVAULT_KEY_FILE: '' };

beforeAll(async () => {
  env = await programHome(temp.path);
  await writeFile(at('disk.raw'), Buffer.alloc(1_048_576, 'disk'));
  await mkdir(at('stranger'));
  await writeFile(at('stranger', 'letter.txt'), 'mine');
  await writeFile(at('none'), '');
  await writeFile(at('short'), 'short');
  expect(await runCli(['init'], env)).toMatchObject({ exitCode: 0 });
  for (let point = 0; point < 2; point++)
    expect(await runCli(['backup', 'web01', at('disk.raw')], env)).toMatchObject({ exitCode: 0 });
  expect(await runCli(['init', at('clear'), '--unencrypted'], { ...env, ...CLEAR })).toMatchObject({ exitCode: 0 });
  const spoken = { ...env, ...CLEAR, VHDVAULT_PASSPHRASE: 'right', VHDVAULT_VAULT: at('spoken') };
  expect(await runCli(['init'], spoken)).toMatchObject({ exitCode: 0 });
  const config = await readFile(at('vault', 'vault.json'), 'utf8');
  for (const [name, text] of [
    ['newer', config.replace('"format": 0', '"format": 1')],
    ['spoiled', config.replace('"magic"', '"magick"')],
  ] as const) {
    await mkdir(at(name));
    await writeFile(at(name, 'vault.json'), text);
  }
});

const vaults: BadRow[] = [
  {
    title: 'no vault there',
    words: () => ['points', '--vault', at('nowhere')],
    is: [10, 'VAULT_MISSING'],
    tells: /no vault at .*nowhere/,
    cure: /vhdvault init/,
  },
  {
    title: 'a file in place of a vault',
    words: () => ['points', '--vault', at('disk.raw')],
    is: [10, 'VAULT_MISSING'],
    tells: /no vault at .*disk\.raw/,
    cure: /vhdvault init/,
  },
  {
    title: 'a newer format',
    words: () => ['points', '--vault', at('newer')],
    is: [1, 'VAULT_NEWER'],
    tells: /format 1.*needs a newer vhdvault/,
    cure: /update vhdvault/,
  },
  {
    title: 'spoiled constants',
    words: () => ['points', '--vault', at('spoiled')],
    is: [13, 'VAULT_DAMAGED'],
    tells: /vault\.json/,
    cure: /./,
  },
  {
    title: 'a new vault where one is',
    words: () => ['init'],
    is: [1, 'VAULT_EXISTS'],
    tells: /already in .*vault/,
    cure: /use it/,
  },
  {
    title: 'a new vault among files of others',
    words: () => ['init', at('stranger')],
    is: [1, 'VAULT_EXISTS'],
    tells: /not empty.*letter\.txt/,
    cure: /empty or a new folder/,
  },
  {
    title: 'a new vault in place of a file',
    words: () => ['init', at('disk.raw')],
    is: [1, 'IO'],
    tells: /making the folder .*disk\.raw failed: something else of that name is there/,
    cure: /another path/,
  },
];

const secrets: BadRow[] = [
  {
    title: 'a wrong passphrase',
    words: () => ['points', '--vault', at('spoken')],
    is: [12, 'VAULT_KEY_WRONG'],
    tells: /the passphrase does not open the only key slot of this vault/,
    cure: /typing error/,
    env: { ...CLEAR, VHDVAULT_PASSPHRASE: 'wrong' },
  },
  {
    title: 'a wrong key file',
    words: () => ['points', '--key-file', at('disk.raw')],
    is: [12, 'VAULT_KEY_WRONG'],
    tells: /the key file does not open the only key slot/,
    cure: /belongs to this vault/,
  },
  {
    title: 'no passphrase',
    words: () => ['points'],
    is: [12, 'VAULT_KEY_MISSING'],
    tells: /no passphrase or key file/,
    cure: /--passphrase-file.*--key-file/,
    env: CLEAR,
  },
  {
    title: 'an empty passphrase file',
    words: () => ['points', '--passphrase-file', at('none')],
    is: [12, 'VAULT_KEY_MISSING'],
    tells: /passphrase file .*none is empty/,
    cure: /VHDVAULT_PASSPHRASE/,
  },
  {
    title: 'a passphrase file that is not there',
    words: () => ['points', '--passphrase-file', at('nowhere')],
    is: [1, 'NOT_FOUND'],
    tells: /reading the passphrase file .*nowhere failed: it does not exist/,
    cure: /check the path/,
  },
  {
    title: 'a key file that is a folder',
    words: () => ['points', '--key-file', at('stranger')],
    is: [1, 'IO'],
    tells: /reading the key file .*stranger failed: it is a folder/,
    cure: /name a file/,
  },
  {
    title: 'a key file too short',
    words: () => ['points', '--key-file', at('short')],
    is: [12, 'VAULT_KEY_REFUSED'],
    tells: /5 bytes, it needs at least 32/,
    cure: /head -c 32/,
  },
  {
    title: 'a key where none is needed',
    words: () => ['points', '--vault', at('clear')],
    is: [12, 'VAULT_KEY_REFUSED'],
    tells: /not encrypted, yet/,
    cure: /without the passphrase/,
  },
];

const references: BadRow[] = [
  {
    title: 'no such item',
    words: () => ['restore', 'web02', '--to', at('x.vhd')],
    is: [16, 'NO_SUCH_ITEM'],
    tells: /web02/,
    cure: /web01/,
  },
  {
    title: 'no such point',
    words: () => ['show', 'web01@p0123456789abcdef0'],
    is: [16, 'NO_SUCH_POINT'],
    tells: /no point/,
    cure: /vhdvault points web01/,
  },
  {
    title: 'more than one such point',
    words: () => ['show', 'web01@p'],
    is: [16, 'NO_SUCH_POINT'],
    tells: /p names 2 points of web01/,
    cure: /write more of it: p[0-9a-f]{16}, p[0-9a-f]{16}/,
  },
  {
    title: 'no point so early',
    words: () => ['restore', 'web01@1999-12-31', '--to', at('x.vhd')],
    is: [16, 'NO_SUCH_POINT'],
    tells: /at or before/,
    cure: /oldest point/,
  },
];

describe.each([
  ['a vault', vaults],
  ['a passphrase or key', secrets],
  ['a reference', references],
] as const)('where %s is bad', (_, rows) => {
  it.each(rows)('$title: person and program read it and the cure, and nothing is written', async (row) => {
    await expectTold(row, temp.path, env);
  });
});

describeWhere(
  canMakeReadOnly,
  'nothing can be mounted, and root may write anywhere',
  'a vault that cannot be written',
  () => {
    it('lets everything be read, and refuses a backup', async () => {
      using _ = readOnly(at('vault'));
      const before = await readdir(at('vault'), { recursive: true });
      const reads = [['points'], ['items'], ['show', 'web01'], ['diff', 'web01', 'web01'], ['stats']];
      for (const words of [...reads, ['verify', '--read-data'], ['backup', 'web01', '--dry-run']]) {
        const ended = await runCli([...words, '--json'], env);
        expect(ended, words.join(' ')).toMatchObject({ exitCode: 0 });
        expect(JSON.parse(ended.stdout)).toMatchObject({ schema: 1 });
      }
      expect(await runCli(['restore', 'web01', '--to', at('back.raw')], env)).toMatchObject({ exitCode: 0 });
      expect(await readFile(at('back.raw'))).toEqual(await readFile(at('disk.raw')));
      const refusal: BadRow = {
        title: 'a backup',
        words: () => ['backup', 'web01', at('disk.raw')],
        is: [1, 'VAULT_READ_ONLY'],
        tells: /the vault cannot be written: not allowed: .*\b(EROFS|EACCES)\b/,
        cure: /works on a read-only vault \(points.* restore.* verify.*dry-run/,
      };
      await expectTold(refusal, temp.path, env);
      await expectTold({ ...refusal, words: () => ['backup', 'new', at('disk.raw')] }, temp.path, env);
      expect(await readdir(at('vault'), { recursive: true })).toEqual(before);
    });
  },
);
