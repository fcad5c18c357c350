import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { noise } from '../../fixtures/noise.ts';
import { DAY, HOUR } from '../../src/base/units.ts';
import { readSourceStamps, writeSourceStamps } from '../../src/cache/source-stamps.ts';
import { createImage } from '../../src/image/create-image.ts';
import type { BackupPreview, BackupResult } from '../../src/jobs/backup-types.ts';
import { stampsOf } from '../../src/jobs/scratch.ts';
import { openVault } from '../../src/jobs/session.ts';
import { type Ended, runCli } from '../cli/run-cli.ts';
import { programHome } from '../support/program-home.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWithTool } from '../support/tool.ts';

const temp = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;
const BLOCKS = 300;
/** Blocks that each child stores. */
const TOP = 40;
/** That are read of what is known. */
const SAMPLE = 64;

let home: string;
let env: Record<string, string>;
/** What the disk holds that is to be backed up next. */
let bytes: Uint8Array;

beforeEach(async () => {
  home = temp.fresh('home');
  env = await programHome(home);
  expect(await run('init', '--block-size', '16KiB')).toMatchObject({ exitCode: 0 });
  bytes = noise(1, BLOCKS * BLOCK).slice();
  await using image = await createImage(at('base.vhd'), { type: 'fixed', size: bytes.byteLength });
  await image.write(0, bytes);
});

const at = (name: string): string => join(home, name);
const run = (...words: string[]): Promise<Ended> => runCli(words, env);
const backUp = (image: string, ...words: string[]): Promise<Ended> =>
  run('backup', 'web01', `disk=${at(image)}`, ...words);

async function backedUp(image: string, ...words: string[]): Promise<BackupResult> {
  const { exitCode, stdout } = await backUp(image, ...words, '--json');
  expect(exitCode, stdout).toBe(0);
  return JSON.parse(stdout) as BackupResult;
}

async function newChild(name: string, parent: string, block: number): Promise<string> {
  await using image = await createImage(at(name), { type: 'differencing', parent: at(parent) });
  const content = noise(block + 2, TOP * BLOCK);
  await image.write(block * BLOCK, content);
  bytes.set(content, block * BLOCK);
  return name;
}

async function expectRestored(): Promise<void> {
  const words = ['--to', at('restored.raw'), '--format', 'raw', '--force'];
  expect(await run('restore', 'web01', ...words)).toMatchObject({ exitCode: 0 });
  expect(Buffer.compare(await readFile(at('restored.raw')), bytes)).toBe(0);
}

const readWhole = { skipped: { blocks: 0, audited: 0 }, blocks: { read: BLOCKS } };
const readAbove = { skipped: { blocks: BLOCKS - TOP - SAMPLE, audited: SAMPLE }, blocks: { read: TOP + SAMPLE } };

describe('backup --full-scan-every', () => {
  /** As if the run that read the whole disk last had been so long ago. */
  async function wholeAgo(milliseconds: number): Promise<void> {
    const places = { keyFile: at('key'), cache: at('cache'), state: at('state') };
    await using session = await openVault(at('vault'), { ...places, threads: 1 });
    const [path, disk] = [stampsOf(session, 'web01', 'disk'), { item: 'web01', disk: 'disk' }];
    const stamps = (await readSourceStamps(session.vault, path, disk))!;
    await writeSourceStamps(session.vault, path, disk, { ...stamps, wholeAt: Date.now() - milliseconds });
  }

  it('is 30 days where nothing is said, and what is said; 0s: always', async () => {
    const rows: [wholeAgo: number, words: string[], found: object, reason: RegExp][] = [
      [29.9 * DAY, [], readAbove, /; disk by the parent of the disk/],
      [30.1 * DAY, [], readWhole, /; disk was read whole, since it last was on \d{4}-\d\d-\d\d$/],
      [35 * HOUR, ['--full-scan-every', '1d12h'], readAbove, /; disk by the parent of the disk/],
      [37 * HOUR, ['--full-scan-every', '1d12h'], readWhole, /; disk was read whole, since it last was on/],
      [50 * DAY, ['--full-scan-every', '51d'], readAbove, /; disk by the parent of the disk/],
      [0, ['--full-scan-every', '0s'], readWhole, /; disk was read whole, as was asked for$/],
    ];
    let image = 'base.vhd';
    expect((await backedUp(image)).disks).toMatchObject([readWhole]);
    for (const [n, [ago, words, found, reason]] of rows.entries()) {
      image = await newChild(`${n}.vhd`, image, n * TOP);
      await wholeAgo(ago);
      expect(await backedUp(image, ...words), `${ago} ${words}`).toMatchObject({
        disks: [found],
        reason: expect.stringMatching(reason),
        warnings: [],
      });
    }
    await expectRestored();
  });

  it('holds for a dry run too, and a person is told what was not read', async () => {
    await backedUp('base.vhd');
    const child = await newChild('child.vhd', 'base.vhd', 100);
    const preview = async (...words: string[]): Promise<BackupPreview> =>
      JSON.parse((await backUp(child, '--dry-run', '--json', ...words)).stdout) as BackupPreview;
    expect((await preview()).disks).toMatchObject([readAbove]);
    expect((await preview('--full-scan-every', '0s')).disks).toMatchObject([readWhole]);
    const { stdout } = await backUp(child);
    expect(stdout).toMatch(/^note: disk: 3 MiB in its parents not read: no file of them changed, and 64 blocks drawn/m);
    await expectRestored();
  });
});

/** Writes to a file by its memory once, and when it is told to once more: the system notes the time of the first only. */
const WRITER = `
import mmap, sys
with open(sys.argv[1], 'r+b') as file:
    memory = mmap.mmap(file.fileno(), 0)
    places = range(0, int(sys.argv[2]), 4096)
    for place in places: memory[place] = memory[place]
    print('ready', flush=True)
    sys.stdin.readline()
    for place in places: memory[place] ^= 1
    print('done', flush=True)
    sys.stdin.readline()
`;

describeWithTool('python3', 'a parent that changes without a trace', () => {
  /** Changes so many blocks of the parent, after a backup of it. */
  async function changeBehind(blocks: number): Promise<void> {
    const writer = spawn('python3', ['-c', WRITER, at('base.vhd'), String(blocks * BLOCK)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(writer.stdout, 'data');
    await backedUp('base.vhd');
    const before = await stat(at('base.vhd'), { bigint: true });
    writer.stdin.write('\n');
    await once(writer.stdout, 'data');
    const { atimeNs: _, atimeMs: __, ...after } = await stat(at('base.vhd'), { bigint: true });
    expect(before).toMatchObject(after);
    for (let place = 0; place < blocks * BLOCK; place += 4096) bytes[place]! ^= 1;
    await using file = await open(at('base.vhd'));
    const { buffer } = await file.read(Buffer.alloc(bytes.byteLength), 0, bytes.byteLength, 0);
    expect(Buffer.compare(buffer, bytes)).toBe(0);
    writer.stdin.end();
    await once(writer, 'close');
  }

  it.each([{ as: 'person' }, { as: 'program' }] as const)(
    'is found and told with exit code 3, this run reads everything, and the next one has nothing to tell ($as)',
    async ({ as }) => {
      await changeBehind(200);
      const child = await newChild('child.vhd', 'base.vhd', 250);
      const ended = await backUp(child, ...(as === 'program' ? ['--json'] : []));
      expect(ended).toMatchObject({ exitCode: 3, stderr: '' });
      const warning =
        /disk: at byte \d+ the disk is not what its latest point has, though .*base\.vhd\): this run read the whole disk.*--full-scan-every 0s/;
      if (as === 'person') {
        expect(ended.stdout.split('\n').filter((line) => line.startsWith('warning: '))).toEqual([
          expect.stringMatching(warning),
        ]);
        expect(ended.stdout).toMatch('disk was read whole, since its parent is not what it was');
        expect(ended.stdout).not.toMatch('not read');
      } else {
        const { warnings, reason, disks } = JSON.parse(ended.stdout) as BackupResult;
        expect(warnings).toEqual([expect.stringMatching(warning)]);
        expect(reason).toMatch(/; disk was read whole, since its parent is not what it was$/);
        expect(disks).toMatchObject([readWhole]);
        expect(disks[0]!.blocks.changed).toBe(200 + TOP);
      }
      await expectRestored();
      const next = await newChild('next.vhd', 'child.vhd', 20);
      const quiet = await backedUp(next);
      expect(quiet).toMatchObject({ warnings: [], disks: [readAbove] });
      await expectRestored();
    },
  );
});
