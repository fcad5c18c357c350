import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { MALFORMED } from '../support/malformed-images.ts';
import { dynamicImage, firstSector, TABLE, withEntry } from '../support/vhd-damage.ts';
import { imageFolder } from '../support/vhd-folder.ts';

const folder = imageFolder();
let count = 0;

async function open(image: Uint8Array): ReturnType<typeof firstSector> {
  const path = folder.file(`${count++}.vhd`);
  await writeFile(path, image);
  return await firstSector(path);
}

describe('a malformed image', () => {
  it.each(MALFORMED)('with %s is refused as %s at byte %i', async (_what, code, offset, image) => {
    const error = await open(image()).catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      name: 'VhdvaultError',
      code,
      details: { path: expect.stringContaining('.vhd'), offset },
      hint: expect.stringMatching(/\w/),
    });
  });

  it('is each of its own kind', () => {
    expect(new Set(MALFORMED.map(([what]) => what)).size).toBe(MALFORMED.length);
    expect(MALFORMED.length).toBeGreaterThan(50);
  });

  it('tells file, offset, expected and found, and what to do', async () => {
    const error = await open(withEntry(dynamicImage(), 1, 0x80000000)).catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      code: 'VHD_BAT',
      details: { path: expect.stringContaining('.vhd'), offset: TABLE + 4, found: 0x80000000 },
      hint: expect.stringContaining('copy'),
    });
  });
});
