import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtempDisposable, open, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareDisks } from '../../fixtures/compare.ts';
import { noise } from '../../fixtures/noise.ts';
import { convertImage } from '../../src/image/convert-image.ts';
import { openDisk } from '../../src/image/open-disk.ts';
import { type Project, packedProject } from '../support/packed.ts';
import { movedInto, readmeExamples } from '../support/readme.ts';
import { buildChain } from '../support/vhd-chain.ts';
import { link } from '../support/vhd-program.ts';
import { consumer } from './consumer.ts';

const run = promisify(execFile);
const MIB = 1024 * 1024;
const TSC = join(import.meta.dirname, '../../node_modules/.bin/tsc');
/** The rooms that the parser lives in. */
const PARSER_ROOMS = ['base', 'io', 'disk', 'image'];

interface Ended {
  code?: number;
  stdout: string;
  stderr: string;
}

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
        'SECURITY.md',
        'src/vault/FORMAT.md',
      ]),
    );
    expect(project.files.filter((name) => /^(test|fixtures|src)\/.*\.ts$/.test(name))).toEqual([]);
  });

  it('has all that its documents link to', async () => {
    const documents = project.files.filter((name) => name.endsWith('.md'));
    const links = await Promise.all(documents.map((name) => linksOf(project.home, name)));
    expect(links.flat().length).toBeGreaterThan(10);
    expect(links.flat().filter((path) => !project.files.includes(path))).toEqual([]);
  });

  it('has a program that backs up and restores with worker threads', async () => {
    const to = join(folder.path, 'by-program.raw');
    await cli('init');
    const made = JSON.parse(await cli('backup', 'box', disk, '--threads', '2', '--json')) as { type: string };
    await cli('restore', 'box', '--to', to, '--threads', '2');
    expect(made.type).toBe('full');
    expect((await compareDisks({ path: disk, format: 'raw' }, { path: to, format: 'raw' })).difference).toBeUndefined();
  });

  it('has all workers, built, each with the one function that a pool calls', async () => {
    const built = (await readdir(join(project.home, 'dist/workers'))).filter((name) => name.endsWith('.js'));
    const sources = await readdir(join(import.meta.dirname, '../../workers'));
    expect(built.sort()).toEqual(sources.map((name) => name.replace(/ts$/, 'js')).sort());
    const types = built.map(
      (name) => `typeof (await import(${JSON.stringify(join(project.home, 'dist/workers', name))})).default`,
    );
    expect(JSON.parse(await script(`console.log(JSON.stringify([${types}]))`))).toEqual(built.map(() => 'function'));
  });

  it('has types that a strict program compiles against', async () => {
    const compilerOptions = {
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
      ...{ module: 'nodenext', target: 'es2024', lib: ['es2024', 'esnext.disposable'], types: ['node'], noEmit: true },
    };
    await writeFile(
      join(project.folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['consumer.mts'] }),
    );
    await writeFile(join(project.folder, 'consumer.mts'), consumer);
    const { stdout } = await run(TSC, ['-p', project.folder]).catch((error: { stdout: string }) => error);
    expect(stdout).toBe('');
  });

  it('has a parser that loads no package and nothing of the vault', async () => {
    const vhd = join(folder.path, 'traced.vhd');
    const { at, loaded } = await traced(project.folder, 'vhdvault/vhd-parser', vhd);
    const room = pathToFileURL(join(project.home, 'dist/src')).href;
    expect(at.startsWith(`${room}/image/`)).toBe(true);
    expect(loaded.length).toBeGreaterThan(20);
    expect(loaded.filter((url) => !PARSER_ROOMS.some((name) => url.startsWith(`${room}/${name}/`)))).toEqual([]);
    expect((await compareDisks({ path: disk, format: 'raw' }, { path: vhd })).difference).toBeUndefined();
  });

  it('has a parser that works where nothing else of it is', async () => {
    const alone = join(folder.path, 'alone');
    for (const room of PARSER_ROOMS) {
      await cp(join(project.home, 'dist/src', room), join(alone, 'src', room), { recursive: true });
    }
    await writeFile(join(alone, 'package.json'), '{ "type": "module" }');
    const vhd = join(folder.path, 'alone.vhd');
    const { loaded } = await traced(alone, './src/image/vhd-parser.js', vhd);
    expect(loaded.length).toBeGreaterThan(20);
    expect((await compareDisks({ path: disk, format: 'raw' }, { path: vhd })).difference).toBeUndefined();
  });

  describe('does what the README shows:', () => {
    let examples: string[];
    let os: string;
    const snapshot = (file: string): string => join(folder.path, 'snapshots', file);
    const outcome = async (n: number, passphrase = 'of a reader'): Promise<Ended> => {
      const path = join(project.folder, `readme-${n}.mjs`);
      await writeFile(path, movedInto(folder.path, examples[n] as string));
      const home = { XDG_CACHE_HOME: join(folder.path, 'xdg-cache'), XDG_STATE_HOME: join(folder.path, 'xdg-state') };
      const env = { ...process.env, ...home, VAULT_PASSPHRASE: passphrase };
      return await run(process.execPath, [path], { env, cwd: project.folder }).catch((ended: Ended) => ended);
    };

    beforeAll(async () => {
      examples = await readmeExamples('The library');
      for (const name of ['srv', 'snapshots', 'restored', 'images/base'])
        await mkdir(join(folder.path, name), { recursive: true });
      os = snapshot('web01-os.vhd');
      await convertImage(disk, os, { format: 'dynamic' });
      await convertImage(disk, snapshot('data.vhd'), { format: 'fixed' });
      const chain = await buildChain(folder.path, [
        link('dynamic'),
        link('differencing', { writes: [{ sector: 9, count: 1, seed: 1 }] }),
      ]);
      await rename(chain.paths[0] as string, join(folder.path, 'images/base/link0.vhd'));
      await rename(chain.paths[1] as string, join(folder.path, 'images/child.avhd'));
    });

    it('a backup, its points, a restore, a check', async () => {
      expect(examples).toHaveLength(5);
      const { stdout, stderr } = await outcome(0);
      expect(stderr).toBe('');
      expect(stdout).toMatch(
        /^p[0-9a-f]{16} full \{ read: \d+, changed: \d+, stored: \d+ \}\np[0-9a-f]{16} 20.* full\ntrue \[\]\n$/,
      );
      expect(
        (await compareDisks({ path: os }, { path: join(folder.path, 'restored/os.vhd') })).difference,
      ).toBeUndefined();
    });

    it('what changed, and the bytes of a point', async () => {
      const raw = join(folder.path, 'changed.raw');
      await cp(disk, raw);
      await writeAt(raw, 4 * MIB, noise(9, 1000));
      await convertImage(raw, os, { format: 'dynamic', force: true });
      const { stdout, stderr } = await outcome(1);
      expect(stderr).toBe('');
      const [first, second, ...rest] = stdout.trim().split('\n');
      expect(first).toBe(`os ${128 * 1024} [ { offset: ${4 * MIB}, length: ${128 * 1024} } ]`);
      expect(second).toBe('data 0 []');
      const sector = [...noise(1, 512)].slice(0, 100);
      expect(rest.join(' ')).toContain(`${9 * MIB} Uint8Array(512) [`);
      expect(rest.join(' ').match(/\d+/g)?.map(Number)).toEqual(expect.arrayContaining(sector));
      expect(rest.at(-1)).toBe(`${8 * MIB} ${MIB} data`);
    });

    it('progress, and errors by their codes', async () => {
      const well = await outcome(2);
      expect(well.stdout).toBe('');
      expect(well.stderr.trim().split('\n').at(-1)).toBe(`done ${18 * MIB} ${18 * MIB}`);
      const wrong = await outcome(2, 'of a stranger');
      expect(wrong.code).toBe(1);
      expect(wrong.stderr).toMatch(
        /^VAULT_KEY_WRONG the passphrase does not open the only key slot of this vault check for/,
      );
    });

    it('the parser alone', async () => {
      const { stdout, stderr } = await outcome(3);
      expect(stderr).toBe('');
      expect(stdout).toContain(`vhd-differencing 102400 ${join(folder.path, 'images/base/link0.vhd')}`);
      expect(stdout.trim().split('\n').slice(-3)).toEqual(['0 4608 zero', '4608 512 data', '5120 97280 zero']);
      const [child, flat] = ['images/child.avhd', 'restored/flat.vhd'].map((name) => join(folder.path, name)) as [
        string,
        string,
      ];
      await using original = await openDisk(child, { parentRoots: [join(folder.path, 'images/base')] });
      await using copy = await openDisk(flat);
      const [expected, found] = [new Uint8Array(original.size), new Uint8Array(copy.size)];
      await original.read(0, expected);
      await copy.read(0, found);
      expect(found).toEqual(expected);
    });

    it('the parser that writes', async () => {
      const { stdout, stderr } = await outcome(4);
      expect(stderr).toBe('');
      const [base, child] = ['images/new.vhd', 'images/new.avhd'].map((name) => join(folder.path, name));
      expect(stdout).toContain(`path: '${child}'`);
      expect(stdout).toContain(`merged: [ '${child}' ]`);
      expect(stdout).toMatch(/before: 42949672960,\s+after: 64424509440/);
      expect(stdout).toMatch(/^64424509440 2$/m);
      expect(stdout).not.toMatch(/^(warning|damage) /m);
      expect(await readdir(join(folder.path, 'images'))).toEqual(['base', 'child.avhd', 'new.vhd']);
      await using disk = await openDisk(base!);
      expect({ format: disk.format, findings: disk.findings }).toEqual({ format: 'vhd-dynamic', findings: [] });
    });
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

  /** What is loaded, besides Node itself, while a parser converts and describes an image. */
  async function traced(home: string, door: string, vhd: string): Promise<{ at: string; loaded: string[] }> {
    const path = join(home, 'traced.mjs');
    await mkdir(home, { recursive: true });
    await writeFile(
      path,
      `
      import { registerHooks } from 'node:module';
      const loaded = [];
      registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
      const parser = await import(${JSON.stringify(door)});
      const [disk, vhd] = process.argv.slice(2);
      await parser.convertImage(disk, vhd, { format: 'dynamic' });
      const { facts } = await parser.imageFacts(vhd);
      parser.parseFooter(parser.encodeFooter({ ...parser.parseFooter(parser.planImage({ format: 'vhd-fixed', size: 512 }).footer) }));
      if (facts.format !== 'vhd-dynamic') throw new Error(facts.format);
      const at = import.meta.resolve(${JSON.stringify(door)});
      console.log(JSON.stringify({ at, loaded: loaded.filter((url) => !url.startsWith('node:')) }));
    `,
    );
    return JSON.parse((await run(process.execPath, [path, disk, vhd], { cwd: home })).stdout) as {
      at: string;
      loaded: string[];
    };
  }

  async function script(text: string, ...words: string[]): Promise<string> {
    const path = join(project.folder, 'script.mjs');
    await writeFile(path, text);
    return (await run(process.execPath, [path, ...words], { cwd: project.folder })).stdout;
  }
});

/** The files that a document links to, by their places in the package. */
async function linksOf(home: string, document: string): Promise<string[]> {
  const text = await readFile(join(home, document), 'utf8');
  const links = [...text.replace(/`[^`\n]*`|^```.*?^```$/gms, '').matchAll(/\]\(([^)#\s]+)[^)]*\)/g)];
  const paths = links.map(([, path]) => path as string).filter((path) => !/^\w+:/.test(path));
  return paths.map((path) => join(dirname(document), path));
}

async function writeAt(path: string, position: number, bytes: Uint8Array): Promise<void> {
  await using handle = await open(path, 'r+');
  await handle.write(bytes, 0, bytes.byteLength, position);
}
