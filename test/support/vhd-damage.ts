import {
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
/** Where the block table of `dynamicImage` is. */
export const TABLE = 1536;

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
