import { basename } from 'node:path';
import { VhdvaultError } from '../../base/errors.ts';
import type { ByteSource } from '../../io/source.ts';
import { quote } from './quote.ts';

interface Foreign {
  name: string;
  at: number;
  magic: readonly number[] | string;
  cure: (path: string) => string;
}

const viaQemu = (path: string): string =>
  `convert it first: qemu-img convert -O vpc -o force_size=on ${quote(path)} ${quote(`${withoutEnding(path)}.vhd`)}`;
const unpack =
  (command: string, ending: string) =>
  (path: string): string => {
    const to = path.toLowerCase().endsWith(ending) ? path.slice(0, -ending.length) : `${path}.unpacked`;
    return `decompress it first: ${command} ${quote(path)} > ${quote(to)}`;
  };

const FOREIGN: readonly Foreign[] = [
  {
    name: 'a VHDX',
    at: 0,
    magic: 'vhdxfile',
    cure: (path) => {
      const vhd = quote(`${withoutEnding(path)}.vhd`);
      const windows = `Convert-VHD -Path ${quote(path)} -DestinationPath ${vhd}`;
      return `convert it first, on Windows: ${windows} ; elsewhere: qemu-img convert -O vpc -o force_size=on ${quote(path)} ${vhd}`;
    },
  },
  { name: 'a qcow2 image', at: 0, magic: 'QFI\xfb', cure: viaQemu },
  { name: 'a VMDK image', at: 0, magic: 'KDMV', cure: viaQemu },
  { name: 'a VMDK descriptor', at: 0, magic: '# Disk DescriptorFile', cure: viaQemu },
  { name: 'a VDI image', at: 64, magic: [0x7f, 0x10, 0xda, 0xbe], cure: viaQemu },
  { name: 'a gzip archive', at: 0, magic: [0x1f, 0x8b, 0x08], cure: unpack('gzip -dc', '.gz') },
  { name: 'a bzip2 archive', at: 0, magic: 'BZh', cure: unpack('bzip2 -dc', '.bz2') },
  { name: 'an xz archive', at: 0, magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], cure: unpack('xz -dc', '.xz') },
  { name: 'a zstd archive', at: 0, magic: [0x28, 0xb5, 0x2f, 0xfd], cure: unpack('zstd -dc', '.zst') },
  {
    name: 'a part of a VHD, which lost the sector before its dynamic header',
    at: 0,
    magic: 'cxsparse',
    cure: () => 'copy the image again from where it came',
  },
  { name: 'a zip archive', at: 0, magic: 'PK\x03\x04', cure: unpack('unzip -p', '.zip') },
];

/**
 * Refuses files that begin like an image or archive of another kind: taken as raw disks they would be backed up well and
 * restored as garbage.
 * @throws DISK_FORMAT_UNSUPPORTED with the command that makes a VHD of it
 */
export async function refuseForeign(source: ByteSource): Promise<void> {
  const head = new Uint8Array(Math.min(source.size, 512));
  await source.read(0, head);
  const foreign = FOREIGN.find(({ at, magic }) => {
    const bytes = typeof magic === 'string' ? [...magic].map((letter) => letter.charCodeAt(0)) : magic;
    return bytes.every((byte, i) => head[at + i] === byte);
  });
  if (!foreign) return;
  const { path } = source;
  throw new VhdvaultError('DISK_FORMAT_UNSUPPORTED', `${path} is ${foreign.name}, which is not read directly`, {
    hint: `${foreign.cure(path)} (or --format raw, if it really is a raw disk)`,
    details: { path, offset: foreign.at, found: foreign.name },
  });
}

function withoutEnding(path: string): string {
  const dot = path.lastIndexOf('.');
  return dot > path.length - basename(path).length ? path.slice(0, dot) : path;
}
