import { writeFile } from 'node:fs/promises';
import {
  encodeBat,
  encodeDynamicHeader,
  encodeFooter,
  encodeLocatorPath,
  openDisk,
  UNALLOCATED,
} from '../../src/image/vhd-parser.ts';
import { encodeLink, footerOf, idOf } from '../support/vhd-chain.ts';
import { link } from '../support/vhd-program.ts';

const SECTOR = 512;

/** How an image names its parent: locators by code, and the name in the header. */
export interface ParentWords {
  locators?: readonly (readonly [code: string, path: string])[];
  name?: string;
}

/** Writes a differencing image that stores nothing itself: `id` and `parent` count as in `idOf`. */
export async function writeChild(
  path: string,
  words: ParentWords,
  ids: { id?: number; parent?: number } = {},
): Promise<void> {
  const { id = 1, parent = 0 } = ids;
  const footer = encodeFooter(footerOf({ kind: 'differencing', size: 102400 }, idOf(id)));
  const texts = (words.locators ?? []).map(([code, text]) => ({ code, data: encodeLocatorPath(code, text) }));
  const header = encodeDynamicHeader({
    tableOffset: SECTOR * 3,
    maxTableEntries: 13,
    blockSize: 8192,
    parentUniqueId: idOf(parent),
    parentTimestamp: 0,
    parentName: words.name ?? '',
    locators: texts.map(({ code, data }, slot) => ({
      slot,
      code,
      dataSpace: SECTOR,
      dataLength: data.byteLength,
      dataOffset: SECTOR * (4 + slot),
    })),
  });
  const spaces = texts.map(({ data }) => Buffer.concat([data], SECTOR));
  const bat = encodeBat(new Uint32Array(13).fill(UNALLOCATED));
  await writeFile(path, Buffer.concat([footer, header, bat, ...spaces, footer]));
}

/** Writes a fixed disk whose first sector is `sectorOf(0, seed)`. */
export async function writeBase(path: string, seed: number, id = 0): Promise<void> {
  const base = link('fixed', { writes: [{ sector: 0, count: 1, seed }] });
  await writeFile(path, encodeLink(base, { id: idOf(id), parentId: idOf(0), parentPath: '' }));
}

/** The first sector of an image, and the codes of its findings but for its unusual block size. */
export async function opened(
  path: string,
  parentRoots: string[] = [],
): Promise<{ first: Uint8Array; findings: string[] }> {
  await using disk = await openDisk(path, { parentRoots });
  const first = new Uint8Array(SECTOR);
  await disk.read(0, first);
  const codes = disk.findings.map(({ code }) => code).filter((code) => code !== 'VHD_BLOCK_SIZE');
  return { first, findings: codes };
}
