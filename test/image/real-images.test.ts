import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import {
  encodeDynamicHeader,
  encodeFooter,
  openDisk,
  parseDynamicHeader,
  parseFooter,
} from '../../src/image/vhd-parser.ts';
import {
  describeRealImages,
  EMPTY_IMAGE,
  PACKED_IMAGE,
  REAL_IMAGES,
  REFUSED_IMAGES,
  readImage,
  realImage,
} from '../support/real-images.ts';
import { imageFolder } from '../support/vhd-folder.ts';

const folder = imageFolder();

describeRealImages('images of other makers', () => {
  it.each(REAL_IMAGES)('$name reads as other readers agree that it does', async ({ name, ...facts }) => {
    expect(await readImage(realImage(name))).toEqual(facts);
  });

  it.each(REFUSED_IMAGES)('%s is refused as %s', async (name, code) => {
    await expect(openDisk(realImage(name))).rejects.toMatchObject({ code });
  });

  it('a fixed disk of Windows 10 reads as another reader says', async () => {
    const { name, ...facts } = PACKED_IMAGE;
    await writeFile(folder.file(name), gunzipSync(readFileSync(realImage(`${name}.gz`))));
    expect(await readImage(folder.file(name))).toEqual(facts);
  });

  it('an empty disk of Hyper-V is one extent of zeros', async () => {
    await using disk = await openDisk(realImage(EMPTY_IMAGE.name));
    expect(await Array.fromAsync(disk.extents())).toEqual([{ offset: 0, length: EMPTY_IMAGE.size, kind: 'zero' }]);
  });

  it('footers and headers of other makers are encoded to the bytes that they were parsed from', () => {
    const footers: [name: string, offset: number][] = [
      ['node-vhd-footer.bin', 0],
      ['node-vhd-header.bin', 0],
      ['libvhdi-file_footer.bin', 0],
      ['dfvfs-ntfs/ntfs-differential.vhd', 0],
      ['dfvfs-ext2.vhd', 0],
    ];
    for (const [name, offset] of footers) {
      const bytes = readFileSync(realImage(name)).subarray(offset, offset + 512);
      expect(toHex(encodeFooter(parseFooter(bytes))), name).toBe(toHex(bytes));
    }
    const headers: [name: string, offset: number][] = [
      ['node-vhd-header.bin', 512],
      ['libvhdi-dynamic_disk_header.bin', 0],
      ['dfvfs-ntfs/ntfs-differential.vhd', 512],
    ];
    for (const [name, offset] of headers) {
      const bytes = readFileSync(realImage(name)).subarray(offset, offset + 1024);
      expect(toHex(encodeDynamicHeader(parseDynamicHeader(bytes))), name).toBe(toHex(bytes));
    }
  });
});
