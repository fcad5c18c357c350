import { execFileSync } from 'node:child_process';
import { truncate, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { ioError } from '../../src/base/errors.ts';
import { probeEnd } from '../../src/io/block-device.ts';
import { openSource } from '../../src/io/source.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWhere } from '../support/tool.ts';

const folder = tempFolder();
const SIZES = [0, 1, 511, 512, 513, 4096, 1_000_000_007, 2 ** 41 + 512];

describe('the end of a device whose size nobody tells', () => {
  it.each(SIZES)('is where nothing more is read (%i bytes)', async (size) => {
    expect(await probeEnd(async (position) => (position < size ? 1 : 0))).toBe(size);
  });

  it('is never where reading fails', async () => {
    const size = 3 << 20;
    const visited: number[] = [];
    const read = (bad: number) => async (position: number) => {
      visited.push(position);
      if (position === bad) throw ioError(Object.assign(new Error('EIO'), { code: 'EIO' }), 'reading', 'device');
      return position < size ? 1 : 0;
    };
    expect(await probeEnd(read(-1))).toBe(size);
    for (const bad of [...visited]) await expect(probeEnd(read(bad))).rejects.toMatchObject({ code: 'IO' });
  });
});

const LOSETUP = 'losetup';

/** Only root may make one. */
function losetup(...words: string[]): string | undefined {
  try {
    return execFileSync(LOSETUP, words, { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return undefined;
  }
}

describeWhere(losetup('--find') !== undefined, 'no loop device can be made', 'a block device', () => {
  it.each([512, 3 << 20, (3 << 20) + 1536])('has the size that the kernel tells (%i bytes)', async (size) => {
    const image = folder.fresh('image');
    await writeFile(image, 'x');
    await truncate(image, size);
    const device = losetup('--find', '--show', image);
    try {
      await using source = await openSource(device as string);
      expect(source.size).toBe(size);
      await source.read(size - 512, new Uint8Array(512));
    } finally {
      losetup('--detach', device as string);
    }
  });
});
