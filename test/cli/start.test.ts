import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { tempFolder } from '../support/temp-folder.ts';

const BIN = join(import.meta.dirname, '../../src/cli/bin.ts');
const folder = tempFolder();

/** What the program prints with its cache in `home`. */
async function version(home: string): Promise<string> {
  const env = { XDG_CACHE_HOME: home, NODE_DISABLE_COMPILE_CACHE: undefined, NODE_COMPILE_CACHE: undefined };
  const { stdout } = await execa(process.execPath, [BIN, '--version'], { env });
  return stdout;
}

describe.skipIf(process.platform === 'win32')('what Node compiled of the program', () => {
  it('is kept in a folder of the user alone', async () => {
    const home = folder.fresh('own');
    expect(await version(home)).toMatch(/^\d+\.\d+\.\d+$/);
    const compiled = join(home, 'vhdvault/compiled');
    expect((await stat(compiled)).mode & 0o777).toBe(0o700);
    expect(await readdir(compiled)).not.toEqual([]);
  });

  it('is neither kept nor used where others may write', async () => {
    const home = folder.fresh('shared');
    const compiled = join(home, 'vhdvault/compiled');
    await mkdir(compiled, { recursive: true });
    await chmod(compiled, 0o777);
    expect(await version(home)).toMatch(/^\d/);
    expect(await readdir(compiled)).toEqual([]);
  });

  it('is done without where there is no place for it', async () => {
    const home = folder.fresh('none');
    await mkdir(home, { recursive: true });
    await writeFile(join(home, 'vhdvault'), 'a file');
    expect(await version(home)).toMatch(/^\d/);
  });
});
