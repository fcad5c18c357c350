import { execFile } from 'node:child_process';
import { mkdtempDisposable, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareDisks } from '../../fixtures/compare.ts';
import { noise } from '../../fixtures/noise.ts';
import { type Project, packedProject } from '../support/packed.ts';

const run = promisify(execFile);
const MIB = 1024 * 1024;

describe('the package as it is published', () => {
  let folder: Awaited<ReturnType<typeof mkdtempDisposable>>;
  let project: Project;
  let disk: string;

  beforeAll(async () => {
    folder = await mkdtempDisposable(join(tmpdir(), 'vhdvault-package-'));
    project = await packedProject(folder.path);
    disk = join(folder.path, 'disk.raw');
    await writeFile(disk, Buffer.concat([noise(1, 3 * MIB), Buffer.alloc(5 * MIB), noise(2, MIB)]));
  });
  afterAll(() => folder.remove());

  it('holds what runs, its types and its documents, and no tests', () => {
    expect(project.files).toEqual(
      expect.arrayContaining([
        'dist/src/index.js',
        'dist/src/index.d.ts',
        'dist/src/image/vhd-parser.d.ts',
        'dist/workers/scan.js',
        'README.md',
        'CHANGELOG.md',
        'src/vault/FORMAT.md',
      ]),
    );
    expect(project.files.filter((name) => /^(test|fixtures|src\/.*\.ts$)/.test(name))).toEqual([]);
  });

  it('has a program that backs up and restores with worker threads', async () => {
    const to = join(folder.path, 'by-program.raw');
    await cli('init');
    const made = JSON.parse(await cli('backup', 'box', disk, '--threads', '2', '--json')) as { type: string };
    await cli('restore', 'box', '--to', to, '--threads', '2');
    expect(made.type).toBe('full');
    expect((await compareDisks({ path: disk, format: 'raw' }, { path: to, format: 'raw' })).difference).toBeUndefined();
  });

  it('has a library that backs up and restores with worker threads', async () => {
    const to = join(folder.path, 'by-library.raw');
    const stdout = await script(
      `
      import { backup, createVault, openVault, restore } from 'vhdvault';
      const [vault, disk, to] = process.argv.slice(2);
      const options = { secret: { passphrase: 'of a test' }, cache: vault + '.cache', state: vault + '.state', threads: 2 };
      await createVault(vault, options);
      await using session = await openVault(vault, options);
      const made = await backup(session, 'box', [{ name: 'os', address: { kind: 'file', path: disk } }]);
      await restore(session, 'box@' + made.point, { to });
      console.log(made.type, made.bytes.changed > 0);
    `,
      join(folder.path, 'library-vault'),
      disk,
      to,
    );
    expect(stdout.trim()).toBe('full true');
    expect((await compareDisks({ path: disk, format: 'raw' }, { path: to, format: 'raw' })).difference).toBeUndefined();
  });

  it('has a parser that stands alone', async () => {
    const stdout = await script(
      `
      import { openDisk } from 'vhdvault/vhd-parser';
      await using disk = await openDisk(process.argv[2]);
      const sector = new Uint8Array(512);
      await disk.read(0, sector);
      console.log(disk.size, disk.format, Buffer.from(sector).toString('hex').slice(0, 16));
    `,
      disk,
    );
    const first = (await readFile(disk)).subarray(0, 8).toString('hex');
    expect(stdout.trim()).toBe(`${9 * MIB} raw ${first}`);
  });

  async function cli(...words: string[]): Promise<string> {
    const home = { VHDVAULT_CACHE: join(folder.path, 'cache'), VHDVAULT_STATE: join(folder.path, 'state') };
    const env = {
      ...process.env,
      ...home,
      VHDVAULT_VAULT: join(folder.path, 'vault'),
      VHDVAULT_PASSPHRASE: 'of a test',
    };
    return (await run(process.execPath, [project.bin, ...words], { env, cwd: project.folder })).stdout;
  }

  async function script(text: string, ...words: string[]): Promise<string> {
    const path = join(project.folder, 'script.mjs');
    await writeFile(path, text);
    return (await run(process.execPath, [path, ...words], { cwd: project.folder })).stdout;
  }
});
