import { bitmapBytes, UNALLOCATED } from '../../src/image/vhd-parser.ts';
import type { Program } from './image-program.ts';
import { encodeLink, idOf, type Link, SECTOR, sectorOf } from './vhd-chain.ts';

/**
 * A dynamic image as others may write it: blocks in any order, with gaps. What its last block stores behind the end of the
 * disk is garbage, or the file does not store it; garbage lies before the footer, too.
 */
export function foreignImage({ sectors, blockSize, seed }: Program['base']): {
  bytes: Uint8Array;
  content: Uint8Array;
} {
  const some = { sector: seed % sectors, count: 1 + (seed % 60), seed: 1 + seed };
  const last = { sector: sectors - 1, count: 1, seed: 1 + seed };
  const link: Link = {
    kind: 'dynamic',
    size: sectors * SECTOR,
    blockSize,
    writes: [some, last],
    locator: 'W2ru',
    backwards: seed % 3 === 0,
    gap: seed % 4,
  };
  const bytes = encodeLink(link, { id: idOf(1), parentId: new Uint8Array(16), parentPath: '' });
  const content = new Uint8Array(link.size);
  for (const { sector, count, seed: own } of link.writes) {
    for (let n = sector; n < Math.min(sector + count, sectors); n++) content.set(sectorOf(n, own), n * SECTOR);
  }
  return { bytes: withSlack(withTail(bytes, link, seed % 2 === 0), (seed % 5) * 3), content };
}

const TABLE = 3 * SECTOR;

function withTail(bytes: Uint8Array, { size, blockSize }: Link, isShort: boolean): Uint8Array {
  const blocks = Math.ceil(size / blockSize);
  const table = new DataView(bytes.buffer, TABLE, blocks * 4);
  const last = table.getUint32((blocks - 1) * 4);
  const data = last * SECTOR + bitmapBytes(blockSize);
  const end = data + size - (blocks - 1) * blockSize;
  const next = data + blockSize;
  if (!isShort) return bytes.fill(0xee, end, next);
  // What follows moves up: the footer, or, where the blocks are backwards, all the others.
  for (let at = 0; at < table.byteLength; at += 4) {
    const entry = table.getUint32(at);
    if (entry !== UNALLOCATED && entry > last) table.setUint32(at, entry - (next - end) / SECTOR);
  }
  return Buffer.concat([bytes.subarray(0, end), bytes.subarray(next)]);
}

function withSlack(bytes: Uint8Array, sectors: number): Uint8Array {
  return Buffer.concat([bytes.subarray(0, -SECTOR), Buffer.alloc(sectors * SECTOR, 0xdd), bytes.subarray(-SECTOR)]);
}
