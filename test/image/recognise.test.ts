import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { openDisk } from '../../src/image/vhd-parser.ts';
import { dynamicImage, firstSector } from '../support/vhd-damage.ts';
import { imageFolder } from '../support/vhd-folder.ts';

const folder = imageFolder();
let count = 0;

async function open(image: Uint8Array, name = 'x.vhd'): ReturnType<typeof firstSector> {
  const path = folder.file(`${count++}-${name}`);
  await writeFile(path, image);
  return await firstSector(path);
}

const foreign: [what: string, name: string, head: Buffer, hint: string][] = [
  ['VHDX', 'd.vhdx', Buffer.from('vhdxfile'), 'Convert-VHD -Path'],
  ['qcow2', 'd.qcow2', Buffer.from('QFI\xfb', 'latin1'), 'qemu-img convert -O vpc -o force_size=on'],
  ['VMDK', 'd.vmdk', Buffer.from('KDMV'), 'qemu-img convert'],
  ['VDI', 'd.vdi', Buffer.concat([Buffer.alloc(64), Buffer.from('7f10dabe', 'hex')]), 'qemu-img convert'],
  ['gzip', 'd.vhd.gz', Buffer.from('1f8b0800', 'hex'), 'gzip -dc'],
  ['bzip2', 'd.vhd.bz2', Buffer.from('BZh91AY'), 'bzip2 -dc'],
  ['xz', 'd.vhd.xz', Buffer.from('fd377a585a00', 'hex'), 'xz -dc'],
  ['zstd', 'd.vhd.zst', Buffer.from('28b52ffd', 'hex'), 'zstd -dc'],
  ['zip', 'd.zip', Buffer.from('PK\x03\x04'), 'unzip -p'],
];

describe('a file that is no VHD', () => {
  it.each(foreign)('but %s is refused with the command that converts it', async (_what, name, head, hint) => {
    const bytes = Buffer.alloc(4096);
    head.copy(bytes);
    const error = await open(bytes, name).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'DISK_FORMAT_UNSUPPORTED', hint: expect.stringContaining(hint) });
    expect((error as { hint: string }).hint).toContain(folder.path);
  });

  it('but begins with the dynamic header of one is not taken for a raw disk', async () => {
    const header = dynamicImage().subarray(512);
    for (const name of ['part.bin', 'part.vhd']) {
      await expect(open(header.subarray(0, 1024), name)).rejects.toMatchObject({
        code: 'DISK_FORMAT_UNSUPPORTED',
        hint: expect.stringContaining('copy the image again'),
      });
    }
    const path = folder.file('part.raw');
    await writeFile(path, header.subarray(0, 1024));
    await using disk = await openDisk(path, { format: 'raw' });
    expect(disk.format).toBe('raw');
  });

  it('is refused when it is named like one, read as raw when not, or when told to', async () => {
    const zeros = new Uint8Array(4096);
    await expect(open(zeros, 'a.vhd')).rejects.toMatchObject({ code: 'VHD_FOOTER_MISSING' });
    await expect(open(zeros, 'a.AVHD')).rejects.toMatchObject({ code: 'VHD_FOOTER_MISSING' });
    expect((await open(zeros, 'a.img')).format).toBe('raw');
    const path = folder.file('told.vhd');
    await writeFile(path, zeros);
    await using disk = await openDisk(path, { format: 'raw' });
    expect(disk.format).toBe('raw');
    await expect(openDisk(folder.file('told.vhd'), { format: 'vhd' })).rejects.toMatchObject({
      code: 'VHD_FOOTER_MISSING',
    });
  });

  it('or no file, or empty, or not of whole sectors, is refused', async () => {
    await expect(openDisk(folder.path)).rejects.toMatchObject({ code: 'DISK_NOT_A_FILE' });
    await expect(openDisk('/dev/null')).rejects.toMatchObject({ code: 'DISK_NOT_A_FILE' });
    await expect(openDisk(folder.file('none.vhd'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(open(new Uint8Array(0), 'a.img')).rejects.toMatchObject({ code: 'DISK_EMPTY' });
    await expect(open(new Uint8Array(1000), 'a.img')).rejects.toMatchObject({ code: 'DISK_SIZE' });
  });
});
