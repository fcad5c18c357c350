import { type FileHandle, open, readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { writeFully } from '../../src/io/write-fully.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();

/** A file that takes at most so many bytes at a time. */
function slow(handle: FileHandle, most: number): FileHandle {
  const write = (bytes: Uint8Array, offset: number, length: number, position: number): unknown =>
    handle.write(bytes, offset, Math.min(length, most), position);
  return { write } as unknown as FileHandle;
}

it('what a file takes in small parts is written whole', async () => {
  const path = folder.fresh('file');
  await using handle = await open(path, 'wx');
  await writeFully(slow(handle, 3), path, 5, Buffer.from('all of these words'));
  expect(await readFile(path, 'latin1')).toBe('\0\0\0\0\0all of these words');
});

it('a file that takes nothing is an error, not an endless loop', async () => {
  const path = folder.fresh('file');
  await using handle = await open(path, 'wx');
  await expect(writeFully(slow(handle, 0), path, 0, Buffer.from('x'))).rejects.toMatchObject({ code: 'IO' });
});
