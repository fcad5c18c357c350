import { existsSync } from 'node:fs';
import { mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { createImage, openWritable } from '../../src/image/vhd-parser.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { damaged, dynamicImage, withFooter } from '../support/vhd-damage.ts';
import { type Ended, runCli } from './run-cli.ts';

const MIB = 1024 * 1024;
const temp = tempFolder({ inMemory: true });
let home = '';
const at = (name: string): string => join(home, name);

beforeEach(async () => {
  home = temp.fresh('images');
  await mkdir(home);
});

const vhd = (...words: string[]): Promise<Ended> => runCli(['vhd', ...words]);

/** What a command tells a program; it must end with `exitCode`, and say nothing on standard error. */
async function told(exitCode: number, ...words: string[]): Promise<Record<string, unknown>> {
  const ended = await vhd(...words, '--json');
  expect(ended, ended.stdout).toMatchObject({ exitCode, stderr: '' });
  const json = JSON.parse(ended.stdout) as Record<string, unknown>;
  expect(json.schema).toBe(1);
  return json;
}

/** An image of 10 MiB, or a child of one; 64 KiB at `offset` are data. */
async function make(name: string, { parent, offset }: { parent?: string; offset?: number } = {}): Promise<void> {
  const type =
    parent === undefined ? { type: 'dynamic', size: 10 * MIB } : { type: 'differencing', parent: at(parent) };
  await using disk = await createImage(at(name), type as Parameters<typeof createImage>[1]);
  if (offset !== undefined) await disk.write(offset, new Uint8Array(65_536).fill(offset / MIB + 1));
}

describe('vhd create', () => {
  it('makes a dynamic image, or with a parent a differencing one as large as that', async () => {
    const made = await told(0, 'create', at('a.vhd'), '--size', '10MiB');
    const same = { currentSize: 10 * MIB, blockSize: 2 * MIB, allocatedBlocks: 0, warnings: [], notices: [] };
    expect(made).toMatchObject({ path: at('a.vhd'), format: 'vhd-dynamic', parent: null, ...same });
    const child = await told(0, 'create', at('b.vhd'), '--parent', at('a.vhd'));
    expect(child).toMatchObject({ format: 'vhd-differencing', parent: { path: at('a.vhd') }, ...same });
    expect(child.parentUniqueId).toBe(made.uniqueId);
  });

  it('takes a type, a size, a path for Windows, and replaces only if told to', async () => {
    expect(await told(0, 'create', at('a.vhd'), '--size', '1MiB', '--type', 'fixed')).toMatchObject({
      format: 'vhd-fixed',
      fileSize: MIB + 512,
    });
    const path = 'D:\\vm\\a.vhd';
    const words = ['create', at('b.vhd'), '--parent', at('a.vhd'), '--size', '2MiB', '--windows-parent-path', path];
    const made = await told(0, ...words);
    expect(made.currentSize).toBe(2 * MIB);
    expect(made.locators).toContainEqual({ code: 'W2ku', path });
    expect(await vhd(...words)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('[TARGET_EXISTS]') });
    expect((await told(0, ...words, '--force')).uniqueId).not.toBe(made.uniqueId);
  });

  it('warns of block sizes that many programs do not read', async () => {
    for (const [size, exitCode] of [
      ['512KiB', 0],
      ['2MiB', 0],
      ['4MiB', 3],
      ['64KiB', 3],
    ] as const) {
      const made = await told(exitCode, 'create', at(`${size}.vhd`), '--size', '8MiB', '--block-size', size);
      expect(made.warnings, size).toHaveLength(exitCode === 0 ? 0 : 1);
    }
  });

  it('tells where the parent lies in another folder what reading it will take', async () => {
    await make('a.vhd');
    const other = temp.fresh('other');
    const words = ['create', join(other, 'b.vhd'), '--parent', at('a.vhd')];
    await mkdir(other);
    expect((await told(0, ...words)).notices).toEqual([expect.stringContaining(`--parent-root ${home} `)]);
    expect(await told(0, 'info', join(other, 'b.vhd'), '--parent-root', home)).toMatchObject({ ok: true });
  });

  it('names the cure of its own options for a disk that only a fixed image can hold', async () => {
    await make('a.vhd');
    for (const [words, cure] of [
      [['create', at('b.vhd'), '--size', '3TiB'], '--type fixed'],
      [['create', at('b.vhd'), '--size', '3TiB', '--parent', at('a.vhd')], 'convert PARENT FILE --format fixed'],
      [['resize', at('a.vhd'), '--size', '3TiB'], 'convert FILE NEW.vhd --format fixed'],
    ] as const) {
      const { error } = (await told(1, ...words)) as { error: { code: string; hint: string } };
      expect(error).toMatchObject({ code: 'VHD_TOO_LARGE', hint: expect.stringContaining(cure) });
    }
    expect(existsSync(at('b.vhd'))).toBe(false);
  });
});

describe('a chain', () => {
  beforeEach(async () => {
    await make('base.vhd', { offset: 0 });
    await make('middle.avhd', { parent: 'base.vhd', offset: MIB });
    await make('tip.avhd', { parent: 'middle.avhd', offset: 9 * MIB });
  });

  /** The bytes at 0, 1 and 9 MiB, and the size. */
  async function content(path: string): Promise<number[]> {
    await using disk = await openWritable(path);
    const bytes = new Uint8Array(disk.size);
    await disk.read(0, bytes);
    return [bytes[0]!, bytes[MIB]!, bytes[9 * MIB]!, bytes.byteLength];
  }

  it('is shown as a tree, with all that depends on it', async () => {
    await make('beside.vhd', { parent: 'base.vhd' });
    const { exitCode, stdout, stderr } = await vhd('chain', at('middle.avhd'));
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const rows = stdout.split('\n').map((line) => line.replace(/ {2,}\d.*/, ''));
    expect(rows).toEqual([
      home,
      expect.stringMatching(/^image +size +type +file +allocated +id$/),
      'base.vhd',
      '├─ beside.vhd',
      '└─ middle.avhd ◀',
      '   └─ tip.avhd',
      '2 images in 4 MiB; 2 other images depend on them',
    ]);
    const json = await told(0, 'chain', at('middle.avhd'));
    const { findings, ...facts } = await told(0, 'info', at('middle.avhd'));
    expect(json).toMatchObject({ ...facts, findings });
    expect(json.children).toMatchObject([
      { path: at('beside.vhd'), parent: at('base.vhd') },
      { path: at('tip.avhd'), parent: at('middle.avhd') },
    ]);
  });

  it('that is broken ends with the trouble and exit code 13, as info does', async () => {
    await truncate(at('base.vhd'), 4000);
    const { exitCode, stdout } = await vhd('chain', at('tip.avhd'));
    expect(exitCode).toBe(13);
    expect(stdout).toMatch(/^\? base\.vhd +not opened/m);
    expect(stdout).toMatch(/^damage \(1\)$/m);
    expect(await told(13, 'chain', at('tip.avhd'))).toMatchObject({ ok: false, parent: { parent: null } });
  });

  it('is merged link by link, with progress, or as a whole', async () => {
    const before = await content(at('tip.avhd'));
    const { exitCode, stdout, stderr } = await vhd('merge', at('middle.avhd'), '--progress', 'json', '--json');
    expect({ exitCode }, stderr).toEqual({ exitCode: 0 });
    expect(JSON.parse(stdout)).toMatchObject({
      path: at('base.vhd'),
      format: 'vhd-dynamic',
      virtualSize: 10 * MIB,
      merged: [at('middle.avhd')],
      adopted: [at('tip.avhd')],
      bytes: 65_536,
      seconds: expect.any(Number),
    });
    const events = stderr.split('\n').map((line) => JSON.parse(line));
    expect(events.at(-1)).toMatchObject({ event: 'progress', phase: 'writing', done: 65_536, total: 65_536 });
    expect(existsSync(at('middle.avhd'))).toBe(false);
    expect(await content(at('tip.avhd'))).toEqual(before);
    await make('last.avhd', { parent: 'tip.avhd' });
    const merged = await told(0, 'merge', at('last.avhd'), '--base');
    expect(merged).toMatchObject({ path: at('base.vhd'), merged: [at('tip.avhd'), at('last.avhd')] });
    expect(await content(at('base.vhd'))).toEqual(before);
  });

  it('is not merged where another image would read something else afterwards', async () => {
    await make('beside.vhd', { parent: 'base.vhd' });
    const before = await readFile(at('base.vhd'));
    const { error } = (await told(1, 'merge', at('middle.avhd'))) as { error: object };
    expect(error).toMatchObject({ code: 'VHD_HAS_CHILDREN', message: expect.stringContaining(at('beside.vhd')) });
    expect(await readFile(at('base.vhd'))).toEqual(before);
  });
});

describe('vhd resize', () => {
  it('grows and shrinks, and tells the facts and what it was before', async () => {
    await make('a.vhd');
    const grown = await told(0, 'resize', at('a.vhd'), '--size', '100MiB');
    expect(grown).toMatchObject({ before: 10 * MIB, currentSize: 100 * MIB, format: 'vhd-dynamic', findings: [] });
    expect((await vhd('resize', at('a.vhd'), '--size', '4MiB')).stdout).toMatch(
      /^shrunk from 104857600 to 4194304 bytes$/m,
    );
  });

  it('cuts no data off, and says how small it can become', async () => {
    await make('a.vhd', { offset: 5 * MIB });
    const { error } = (await told(1, 'resize', at('a.vhd'), '--size', '2MiB')) as { error: object };
    expect(error).toMatchObject({ code: 'DISK_NOT_EMPTY', hint: expect.stringContaining(`${5 * MIB + 65_536} bytes`) });
  });
});

describe('vhd check', () => {
  it('of an image that is as it should be ends with 0', async () => {
    await make('a.vhd');
    expect(await told(0, 'check', at('a.vhd'))).toMatchObject({ path: at('a.vhd'), ok: true, findings: [] });
    expect((await vhd('check', at('a.vhd'))).stdout).toBe(`${at('a.vhd')}\nno damage found`);
  });

  it('ends with 3 for a warning, with 13 for damage, and tells where and what', async () => {
    const image = dynamicImage();
    await writeFile(at('odd.vhd'), damaged(Buffer.from(image), 40));
    expect((await told(3, 'check', at('odd.vhd'))).findings).toContainEqual(
      expect.objectContaining({ severity: 'warning', code: 'VHD_FOOTER_COPY_BAD', cure: expect.stringMatching(/./) }),
    );
    await writeFile(at('bad.vhd'), damaged(Buffer.from(image), 512 + 40));
    const bad = await told(13, 'check', at('bad.vhd'));
    expect(bad).toMatchObject({ ok: false });
    expect(bad.findings).toContainEqual(expect.objectContaining({ severity: 'damage', code: 'VHD_HEADER_CHECKSUM' }));
    expect((await vhd('check', at('bad.vhd'))).stdout).toMatch(
      /^ {4}at: +byte \d+, found .*expected .*$[\s\S]*^DAMAGE FOUND: /m,
    );
  });
});

describe('vhd repair', () => {
  it('says with --dry-run what it would do, does it without, and then has nothing left to do', async () => {
    await writeFile(at('odd.vhd'), damaged(dynamicImage(), 40));
    const before = await readFile(at('odd.vhd'));
    const plan = await told(0, 'repair', at('odd.vhd'), '--dry-run');
    expect(plan).toMatchObject({ dryRun: true, copy: null, actions: [{ offset: 0, length: 512 }] });
    expect(await readFile(at('odd.vhd'))).toEqual(before);
    const done = await told(0, 'repair', at('odd.vhd'), '--copy-to', at('as-it-was'));
    expect(done).toMatchObject({ dryRun: false, ok: true, copy: at('as-it-was'), actions: plan.actions });
    expect((await stat(at('as-it-was'))).size).toBeGreaterThan(0);
    expect((await vhd('repair', at('odd.vhd'))).stdout).toMatch(/^nothing to repair: nothing was written$/m);
  });

  it('ends with 13 where damage is left, and with 0 where only warnings are', async () => {
    await writeFile(at('bad.vhd'), damaged(dynamicImage(), 512 + 40));
    expect(await told(13, 'repair', at('bad.vhd'))).toMatchObject({ ok: false, actions: [], copy: null });
    await writeFile(at('suspended.vhd'), withFooter(dynamicImage(), { savedState: true }));
    const left = await told(0, 'repair', at('suspended.vhd'));
    expect(left.findings).toContainEqual(expect.objectContaining({ severity: 'warning', code: 'VHD_SAVED_STATE' }));
  });
});
