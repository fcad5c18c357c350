import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  bitmapBytes,
  type DynamicHeader,
  encodeBat,
  encodeDynamicHeader,
  encodeFooter,
  encodeLocatorPath,
  type Footer,
  geometryOf,
  type ParentLocator,
  setSector,
  UNALLOCATED,
} from '../../src/image/vhd-parser.ts';

/** Sectors that a link holds: `count` from `sector` on, filled from `seed`. */
export interface Write {
  sector: number;
  count: number;
  seed: number;
}

export type LocatorStyle = 'W2ru' | 'W2ku' | 'MacX' | 'name' | 'path-name';

/** One image of a chain, as data. Sizes in bytes. */
export interface Link {
  kind: 'raw' | 'fixed' | 'dynamic' | 'differencing';
  size: number;
  blockSize: number;
  writes: readonly Write[];
  /** How it names its parent. */
  locator: LocatorStyle;
  /** Stored blocks in this order in the file: forwards or backwards, with a gap of this many sectors before each. */
  backwards: boolean;
  gap: number;
}

export interface BuiltChain {
  /** The files, base first. */
  paths: string[];
  /** What the last one must read as. */
  oracle: Uint8Array;
}

export const SECTOR = 512;
/** Stands in blocks where the bitmap says "parent's": whoever takes whole blocks reads it. */
const GARBAGE = 0xee;

/** Writes the files of a chain, base first, into `folder`, and computes what its tip must read as. */
export async function buildChain(folder: string, links: readonly Link[], prefix = 'link'): Promise<BuiltChain> {
  const paths: string[] = [];
  let oracle: Uint8Array = new Uint8Array(0);
  for (const [i, link] of links.entries()) {
    const path = join(folder, `${prefix}${i}${link.kind === 'raw' ? '.raw' : '.vhd'}`);
    const parent = paths.at(-1);
    const parentId = i > 0 && links[i - 1]!.kind !== 'raw' ? idOf(i - 1) : new Uint8Array(16);
    await writeFile(path, encodeLink(link, { id: idOf(i), parentId, parentPath: parent ?? '' }));
    oracle = grown(oracle, link);
    paths.push(path);
  }
  return { paths, oracle };
}

/** The unique id of the n-th link. */
export function idOf(n: number): Uint8Array {
  const id = new Uint8Array(16).fill(0x10 + (n & 0x7f));
  new DataView(id.buffer).setUint8(15, id[15]! + (n >>> 7));
  return id;
}

/** Bytes of a whole file. */
export function encodeLink(link: Link, ids: { id: Uint8Array; parentId: Uint8Array; parentPath: string }): Uint8Array {
  if (link.kind === 'raw') return contentOf(link);
  if (link.kind === 'fixed') return joined([contentOf(link), encodeFooter(footerOf(link, ids.id))]);
  return encodeBlocks(link, ids);
}

export function footerOf(link: Pick<Link, 'kind' | 'size'>, uniqueId: Uint8Array): Footer {
  return {
    features: 2,
    dataOffset: link.kind === 'fixed' ? null : SECTOR,
    timestamp: 700000000,
    creatorApplication: 'win ',
    creatorVersion: 0x000a0000,
    creatorHostOS: 'Wi2k',
    originalSize: link.size,
    currentSize: link.size,
    geometry: geometryOf(link.size),
    type: link.kind === 'raw' ? 'fixed' : link.kind,
    uniqueId,
    savedState: false,
    hidden: false,
  };
}

/** The sector that a write puts at `sector`: every sector differs from every other. */
export function sectorOf(sector: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  for (let i = 0; i < SECTOR; i++) bytes[i] = (sector * 31 + seed * 101 + i * 7 + (i >>> 3)) & 0xff;
  return bytes;
}

function contentOf(link: Link): Uint8Array {
  const content = new Uint8Array(link.size);
  apply(content, link);
  return content;
}

function grown(below: Uint8Array, link: Link): Uint8Array {
  if (link.kind !== 'differencing') return contentOf(link);
  const content = new Uint8Array(link.size);
  content.set(below.subarray(0, link.size));
  apply(content, link);
  return content;
}

function apply(content: Uint8Array, link: Link): void {
  for (const { sector, seed } of sectorsOf(link)) content.set(sectorOf(sector, seed), sector * SECTOR);
}

function* sectorsOf(link: Link): Generator<{ sector: number; seed: number }> {
  for (const { sector, count, seed } of link.writes) {
    const end = Math.min(sector + count, link.size / SECTOR);
    for (let at = sector; at < end; at++) yield { sector: at, seed };
  }
}

function encodeBlocks(link: Link, ids: { id: Uint8Array; parentId: Uint8Array; parentPath: string }): Uint8Array {
  const { blockSize, size } = link;
  const blocks = storedBlocks(link);
  const entries = Math.ceil(size / blockSize);
  const bat = new Uint32Array(entries).fill(UNALLOCATED);
  const { locators, data, name } = locatorsOf(link, ids.parentPath, SECTOR * 3);
  const tableOffset = SECTOR * 3 + data.byteLength;
  let next = (tableOffset + encodeBat(bat).byteLength) / SECTOR;
  const parts: { at: number; bytes: Uint8Array }[] = [];
  const order = [...blocks.keys()].sort((a, b) => (link.backwards ? b - a : a - b));
  for (const block of order) {
    next += link.gap;
    bat[block] = next;
    parts.push({ at: next * SECTOR, bytes: blocks.get(block)! });
    next += (bitmapBytes(blockSize) + blockSize) / SECTOR;
  }
  const header: DynamicHeader = {
    tableOffset,
    maxTableEntries: entries,
    blockSize,
    parentUniqueId: link.kind === 'differencing' ? ids.parentId : new Uint8Array(16),
    parentTimestamp: 0,
    parentName: name,
    locators,
  };
  const footer = encodeFooter(footerOf(link, ids.id));
  const file = new Uint8Array((next + 1) * SECTOR);
  file.set(footer, 0);
  file.set(encodeDynamicHeader(header), SECTOR);
  file.set(data, SECTOR * 3);
  file.set(encodeBat(bat), tableOffset);
  for (const { at, bytes } of parts) file.set(bytes, at);
  file.set(footer, next * SECTOR);
  return file;
}

/** Bitmap and data of every block that is written to. */
function storedBlocks(link: Link): Map<number, Uint8Array> {
  const { blockSize } = link;
  const bitmap = bitmapBytes(blockSize);
  const blocks = new Map<number, Uint8Array>();
  for (const { sector, seed } of sectorsOf(link)) {
    const block = Math.floor((sector * SECTOR) / blockSize);
    const within = sector - (block * blockSize) / SECTOR;
    let bytes = blocks.get(block);
    if (!bytes) {
      bytes = new Uint8Array(bitmap + blockSize);
      if (link.kind === 'differencing') bytes.fill(GARBAGE, bitmap);
      else for (let i = 0; i < blockSize / SECTOR; i++) setSector(bytes, i);
      blocks.set(block, bytes);
    }
    setSector(bytes, within);
    bytes.set(sectorOf(sector, seed), bitmap + within * SECTOR);
  }
  return blocks;
}

function locatorsOf(
  link: Link,
  parentPath: string,
  offset: number,
): { locators: ParentLocator[]; data: Uint8Array; name: string } {
  const parent = basename(parentPath);
  if (link.kind !== 'differencing') return { locators: [], data: new Uint8Array(0), name: '' };
  if (link.locator === 'name') return { locators: [], data: new Uint8Array(0), name: parent };
  if (link.locator === 'path-name') return { locators: [], data: new Uint8Array(0), name: `D:\\vm\\${parent}` };
  const path = { W2ru: `.\\${parent}`, W2ku: `C:\\Virtual Machines\\${parent}`, MacX: `file://./${parent}` }[
    link.locator
  ];
  const text = encodeLocatorPath(link.locator, path);
  const data = new Uint8Array(Math.ceil(text.byteLength / SECTOR) * SECTOR);
  data.set(text);
  const locator = {
    slot: 3,
    code: link.locator,
    dataSpace: data.byteLength,
    dataLength: text.byteLength,
    dataOffset: offset,
  };
  return { locators: [locator], data, name: `C:\\elsewhere\\nothing-of-that-name.vhd` };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
