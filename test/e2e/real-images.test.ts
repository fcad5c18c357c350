import { execFileSync } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { beforeAll, expect, it } from 'vitest';
import { openDisk } from '../../src/image/vhd-parser.ts';
import { type Ended, runCli } from '../cli/run-cli.ts';
import {
  describeRealImages,
  EMPTY_IMAGE,
  PACKED_IMAGE,
  REAL_IMAGES,
  REFUSED_IMAGES,
  type RealImage,
  readImage,
  realImage,
} from '../support/real-images.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWithTool } from '../support/tool.ts';

const temp = tempFolder({ inMemory: true });
const at = (...names: string[]): string => join(temp.path, ...names);
const run = (...words: string[]): Promise<Ended> =>
  runCli(words, {
    VHDVAULT_VAULT: at('vault'),
    VHDVAULT_KEY_FILE: at('key'),
    VHDVAULT_CACHE: at('cache'),
    VHDVAULT_STATE: at('state'),
  });
const IMAGES: readonly RealImage[] = [...REAL_IMAGES, PACKED_IMAGE];
/** What was in the vault before anything was refused. */
let inVault: string[] = [];
const diskName = (image: { name: string }): string => basename(image.name, '.vhd');

describeRealImages('images of other makers, through the program', () => {
  beforeAll(async () => {
    await writeFile(at('key'), Buffer.alloc(32, 7));
    await writeFile(at(PACKED_IMAGE.name), gunzipSync(await readFile(realImage(`${PACKED_IMAGE.name}.gz`))));
    expect(await run('init')).toMatchObject({ exitCode: 0 });
    const paths = [...REAL_IMAGES.map(({ name }) => realImage(name)), at(PACKED_IMAGE.name)];
    const [many, empty] = await Promise.all([
      run('backup', 'makers', ...paths, '--json'),
      run('backup', 'hyperv', realImage(EMPTY_IMAGE.name), '--json'),
    ]);
    expect(many, many.stderr).toMatchObject({ exitCode: 0 });
    expect(empty, empty.stderr).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(empty.stdout)).toMatchObject({
      bytes: { stored: 0 },
      disks: [{ virtualSize: EMPTY_IMAGE.size }],
    });
    inVault = await readdir(at('vault'), { recursive: true });
  });

  it.each(['raw', 'fixed', 'dynamic'])('restores every one bit for bit, as %s', async (format) => {
    const folder = at(`as-${format}`);
    expect(await run('restore', 'makers', '--to', folder, '--format', format)).toMatchObject({ exitCode: 0 });
    for (const image of IMAGES) {
      const path = join(folder, `${diskName(image)}.${format === 'raw' ? 'raw' : 'vhd'}`);
      const { size, sha256 } = image;
      const type = format === 'raw' ? 'raw' : `vhd-${format}`;
      expect(await readImage(path), image.name).toEqual({ format: type, size, sha256 });
    }
    expect(await readdir(folder)).toHaveLength(IMAGES.length);
  });

  it('restores 127 GiB of zeros to files that take no room', async () => {
    const paths = ['raw', 'vhd'].map((ending) => at(`empty.${ending}`));
    const ended = await Promise.all(paths.map((path) => run('restore', 'hyperv', '--to', path)));
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    for (const path of paths) {
      await using disk = await openDisk(path);
      expect(disk.size).toBe(EMPTY_IMAGE.size);
      expect((await stat(path)).blocks * 512, path).toBeLessThan(1024 * 1024);
    }
    await using vhd = await openDisk(at('empty.vhd'));
    expect(await Array.fromAsync(vhd.extents())).toEqual([{ offset: 0, length: EMPTY_IMAGE.size, kind: 'zero' }]);
  });

  it.concurrent.each(REFUSED_IMAGES)('refuses %s as %s, and writes nothing', async (name, code) => {
    await expectRefusal(realImage(name), code);
  });

  it('tells a person the same, once for each kind of refusal', async () => {
    const kinds = new Map(REFUSED_IMAGES.map(([name, code]) => [code, realImage(name)]));
    expect(kinds.size).toBe(4);
    await Promise.all(
      Array.from(kinds, async ([code, path]) => {
        const person = await run('backup', `refused-${code}`, path);
        expect(person).toMatchObject({ exitCode: 1, stdout: '' });
        expect(person.stderr).toMatch(new RegExp(`^vhdvault: .*${basename(path)}.*\\[${code}\\]\n.{20,}$`));
      }),
    );
    expect(await readdir(at('vault'), { recursive: true })).toEqual(inVault);
  });

  const bzip2 = 'bzip2';
  describeWithTool(bzip2, 'a VHDX that was unpacked', () => {
    it('is refused by its name, with what converts it', async () => {
      const packed = realImage('qemu-iotest-dynamic-1G.vhdx.bz2');
      const bytes = execFileSync(bzip2, ['-dc', packed], { maxBuffer: 256 * 1024 * 1024 });
      await writeFile(at('disk.vhdx'), bytes.subarray(0, 1024 * 1024));
      const hint = await expectRefusal(at('disk.vhdx'), 'DISK_FORMAT_UNSUPPORTED');
      expect(hint).toMatch(/Convert-VHD .*qemu-img convert/);
    });
  });
});

/** Gives the cure. */
async function expectRefusal(path: string, code: string): Promise<string> {
  const ended = await run('backup', `refused-${basename(path)}`, path, '--json');
  const { schema, error } = JSON.parse(ended.stdout) as { schema: number; error: Problem };
  expect([schema, ended.exitCode, error.code, ended.stderr]).toEqual([1, 1, code, '']);
  expect(error.message).toContain(path);
  expect(error.hint).toMatch(/copy the image again|convert it first|decompress it first|use --format/);
  // Others run at the same time, and their locks and staging locations come and go.
  expect(await readdir(at('vault', 'log'))).toHaveLength(inVault.filter((name) => name.startsWith('log/')).length);
  return error.hint;
}

interface Problem {
  code: string;
  message: string;
  hint: string;
}
