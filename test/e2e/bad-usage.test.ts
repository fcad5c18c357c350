import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../cli/run-cli.ts';
import { type BadRow, expectTold } from '../support/bad-row.ts';
import { programHome } from '../support/program-home.ts';
import { tempFolder } from '../support/temp-folder.ts';

const temp = tempFolder({ inMemory: true });
const at = (...names: string[]): string => join(temp.path, ...names);
const disk = (): string => at('disk.raw');
let env: Record<string, string> = {};

beforeAll(async () => {
  env = await programHome(temp.path);
  await mkdir(at('new'));
  await writeFile(disk(), Buffer.alloc(65_536, 'disk'));
  expect(await runCli(['init'], env)).toMatchObject({ exitCode: 0 });
  expect(await runCli(['backup', 'web01', disk()], env)).toMatchObject({ exitCode: 0 });
});

/** What is typed, which code it has if not USAGE, the fact, and the cure. */
type Slip = readonly [title: string, words: () => string[], tells: RegExp, cure: RegExp, code?: string];

const every = (span: string) => (): string[] => ['backup', 'web01', `--full-scan-every=${span}`];
const limited = (verb: string, rate: string) => (): string[] => [
  ...{ backup: ['backup', 'web01'], restore: ['restore', 'web01', '--to', at('o.raw')], verify: ['verify'] }[verb]!,
  `--limit-rate=${rate}`,
];
const HELP = /`vhdvault .*--help` tells more/;
const slips: readonly Slip[] = [
  ['an unknown command', () => ['frobnicate'], /unknown command: frobnicate/, HELP],
  ['an unknown option', () => ['points', '--frob'], /unknown option: --frob/, HELP],
  ['no item', () => ['backup'], /ITEM is missing/, HELP],
  ['no target', () => ['restore', 'web01'], /--to is missing/, HELP],
  ['one argument too many', () => ['stats', 'extra'], /too many arguments: extra/, HELP],
  ['an option without its value', () => ['points', '--threads'], /--threads needs a value/, HELP],
  ['an empty value, as of an unset variable', () => ['restore', 'web01', '--to', ''], /--to is empty/, HELP],
  ['an option twice', () => ['restore', 'web01', '--to', 'a', '--to', 'b'], /--to is given twice/, HELP],
  ['no such type', () => ['backup', 'i', disk(), '--type', 'weekly'], /"weekly", .* full, incremental, differ/, HELP],
  ['no such consistency', () => ['backup', 'i', disk(), '--consistency', 'some'], /"some", .* crash, file, app/, HELP],
  ['no duration', () => ['backup', 'i', disk(), '--hook-timeout', 'soon'], /no duration: "soon"/, /90s, 10m, 1h/],
  ...['soon', '-1d', ''].map(
    (span): Slip => [
      `no span: "${span}"`,
      every(span),
      /--full-scan-every is (no duration|empty)/,
      /as 30d|tells more/,
    ],
  ),
  ['a span of no unit', every('30'), /--full-scan-every is no duration: "30"/, /say of what: 30d are days/],
  ['a span of months', every('1mo'), /--full-scan-every takes no months or years: "1mo"/, /--full-scan-every 30d/],
  ...['backup', 'restore', 'verify'].flatMap((verb): Slip[] => [
    [`no rate, of ${verb}`, limited(verb, 'fast'), /--limit-rate is no size: "fast"/, /number with KiB, .*MB/],
    [`a rate below 0, of ${verb}`, limited(verb, '-5MB'), /--limit-rate is no size: "-5MB"/, /number with KiB, .*MB/],
    [
      `a rate of bits, of ${verb}`,
      limited(verb, '5Mbit/s'),
      /--limit-rate is no size: "5Mbit"/,
      /number with KiB, .*MB/,
    ],
    [`no bytes in a second, of ${verb}`, limited(verb, '0'), /0 bytes per second is no rate/, /give 1 or more/],
  ]),
  ['a rate where nothing is limited', () => ['points', '--limit-rate', '5MB'], /unknown option: --limit-rate/, HELP],
  ['no share', () => ['verify', '--sample', '0%'], /--sample is no share: "0%"/, /--sample 10%/],
  [
    'a share of more than all',
    () => ['verify', '--sample', '101%'],
    /--sample is no share: "101%"/,
    /at most 100 percent/,
  ],
  ['a key for scrub, which needs none', () => ['scrub', '--key-file', disk()], /unknown option: --key-file/, HELP],
  ['no threads', () => ['points', '--threads', '0'], /--threads is no whole number from 1: "0"/, /--threads 4/],
  ['no size', () => ['init', at('new'), '--block-size', 'huge'], /--block-size is no size: "huge"/, /KiB/],
  ['no possible block size', () => ['init', at('new'), '--block-size', '3'], /block size of 3 bytes/, /power of two/],
  ['a tag too long', () => ['backup', 'i', disk(), '--tag', 'x'.repeat(65)], /longer than 64 bytes/, /shorten it/],
  [
    'a note too long',
    () => ['backup', 'i', disk(), '--note', 'x'.repeat(4097)],
    /longer than 4096 bytes/,
    /shorten it/,
  ],
  [
    'a disk name twice',
    () => ['backup', 'i', disk(), `disk=${at('b.raw')}`],
    /two disks are named/,
    /NAME=/,
    'DISK_NAME',
  ],
  ['a bad disk name', () => ['backup', 'i', at('_.raw')], /no name for a disk/, /NAME=PATH/, 'DISK_NAME'],
  ['a disk without a path', () => ['backup', 'i', 'name='], /"name=" names no disk/, /NAME=PATH/],
  ['a bad item name', () => ['backup', 'a b', disk()], /"a b" is no name for an item/, /letters, digits/, 'ITEM_NAME'],
  ['a first backup without disks', () => ['backup', 'new'], /no disk was given/, /vhdvault backup new DISK/],
  ['no such boot disk', () => ['backup', 'i', disk(), '--boot-disk', 'os'], /no disk os to boot/, /the disks are disk/],
  ['no such disk to restore', () => ['restore', 'web01', '--disk', 'os', '--to', at('o')], /no disk os/, /it has disk/],
  ['no such disk to compare', () => ['diff', 'web01', 'web01', '--disk', 'os'], /no disk os is in both/, /has disk/],
  ['what names no point', () => ['show', 'web01@yesterday'], /"yesterday" names no point/, /web01@latest/],
  ['no vault named', () => ['points'], /no vault was named/, /--vault FOLDER or set VHDVAULT_VAULT/],
  ['a vault named twice', () => ['init', at('a'), '--vault', at('b')], /named twice/, /leave one of them out/],
  ['two secrets', () => ['points', '--key-file', 'a', '--passphrase-file', 'b'], /exclude each other/, /give one/],
  ['a key for a clear vault', () => ['init', at('a'), '--unencrypted', '--key-file', 'a'], /exclude each/, /leave one/],
  [
    'a passphrase for a clear vault',
    () => ['init', at('a'), '--unencrypted'],
    /VHDVAULT_\w+ is set/,
    /unset VHDVAULT_/,
  ],
];

const rows = slips.map(([title, words, tells, cure, code = 'USAGE']): BadRow => {
  const row: BadRow = { title, words, is: [2, code], tells, cure };
  return title === 'no vault named' ? { ...row, env: { VHDVAULT_VAULT: '' } } : row;
});

describe('wrong usage', () => {
  it.each(rows)('$title: exit code 2, told with the cure, and nothing is written', async (row) => {
    await expectTold(row, temp.path, env);
  });

  it('shows the usage line of its command', async () => {
    const { stderr } = await runCli(['backup', 'i', disk(), '--type', 'weekly'], env);
    expect(stderr.split('\n')[1]).toBe('usage: vhdvault backup ITEM [DISK...] [options]');
    const { stdout } = await runCli(['stats', 'extra', '--json'], env);
    expect(JSON.parse(stdout)).toMatchObject({ error: { details: { usage: 'vhdvault stats [options]' } } });
  });

  it('is not an empty note', async () => {
    expect(await runCli(['backup', 'web01', '--note', ''], env)).toMatchObject({ exitCode: 0 });
  });
});
