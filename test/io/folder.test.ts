import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeFolderDurable } from '../../src/io/folder.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

it('a folder is made with those above it, and its mode is its own', async () => {
  const top = folder.fresh('top');
  await makeFolderDurable(join(top, 'middle', 'leaf'), 0o700);
  expect(await modeOf(join(top, 'middle', 'leaf'))).toBe(0o700);
  expect(await modeOf(top)).toBe(0o777 & ~process.umask());
});

it('a folder that is there keeps its mode', async () => {
  const path = folder.fresh('there');
  await mkdir(path, { mode: 0o755 });
  await makeFolderDurable(path, 0o700);
  expect(await modeOf(path)).toBe(0o755);
});

it('a folder cannot be made where a file is, nor below one', async () => {
  const file = folder.fresh('file');
  await writeFile(file, 'x');
  await expect(makeFolderDurable(file)).rejects.toMatchObject({ code: 'IO' });
  await expect(makeFolderDurable(join(file, 'below', 'it'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
