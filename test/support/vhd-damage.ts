import {
  checksum,
  type DynamicHeader,
  encodeDynamicHeader,
  encodeFooter,
  type Footer,
  openDisk,
  parseDynamicHeader,
  parseFooter,
} from '../../src/image/vhd-parser.ts';
import { encodeLink, idOf, type Write } from './vhd-chain.ts';
import { link } from './vhd-program.ts';

/** Images with one disease each: a healthy one, and functions that change what they are given. */
export const WRITES: readonly Write[] = [
  { sector: 0, count: 1, seed: 1 },
  { sector: 40, count: 1, seed: 2 },
];
/** Where the dynamic header, the block table and the footer at the end of `dynamicImage` are. */
export const HEADER = 512;
export const TABLE = 1536;
export const END: number = 38 * 512;

/** A dynamic image of 13 blocks of 8 KiB, of which 0 and 2 are stored. */
export function dynamicImage(): Buffer {
  return Buffer.from(
    encodeLink(link('dynamic', { writes: WRITES }), { id: idOf(1), parentId: idOf(0), parentPath: '' }),
  );
}

export function withFooter(
  image: Buffer,
  change: Partial<Footer>,
  places: ('start' | 'end')[] = ['start', 'end'],
): Buffer {
  const footer = encodeFooter({ ...parseFooter(image.subarray(-512)), ...change });
  if (places.includes('start')) image.set(footer, 0);
  if (places.includes('end')) image.set(footer, image.length - 512);
  return image;
}

export function withHeader(image: Buffer, change: Partial<DynamicHeader>): Buffer {
  image.set(encodeDynamicHeader({ ...parseDynamicHeader(image.subarray(512, 1536)), ...change }), 512);
  return image;
}

/** Bytes put at `at` of both footers, or of the header, with the checksum mended: for values that no encoder writes. */
export function withBytes(image: Buffer, structure: 'footers' | 'header', at: number, hex: string): Buffer {
  const bytes = Buffer.from(hex, 'hex');
  const places = structure === 'header' ? [512] : [0, image.length - 512];
  for (const place of places) {
    bytes.copy(image, place + at);
    if (structure === 'header') image.writeUInt32BE(checksum(image.subarray(place, place + 1024), 36), place + 36);
    else image.writeUInt32BE(checksum(image.subarray(place, place + 512), 64), place + 64);
  }
  return image;
}

export function withEntry(image: Buffer, block: number, sector: number): Buffer {
  image.writeUInt32BE(sector, TABLE + block * 4);
  return image;
}

export function damaged(image: Buffer, ...places: number[]): Buffer {
  for (const at of places) image[at < 0 ? image.length + at : at]! ^= 0xff;
  return image;
}

export function fixedImage(size: number): Buffer {
  const plain = link('fixed', { size, writes: [{ sector: 0, count: 1, seed: 1 }] });
  return Buffer.from(encodeLink(plain, { id: idOf(1), parentId: idOf(0), parentPath: '' }));
}

/** The first sector of an image file, and what was found odd. */
export async function firstSector(path: string): Promise<{ first: Uint8Array; findings: string[]; format: string }> {
  await using disk = await openDisk(path);
  const first = new Uint8Array(512);
  await disk.read(0, first);
  return { first, findings: disk.findings.map((finding) => finding.code), format: disk.format };
}
