import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NamedDisk } from '../../src/jobs/types.ts';
import type { Draw } from '../fuzz/draw.ts';
import { noise, text } from '../support/vault-bench.ts';

export const BLOCK: number = 16 * 1024;
const SECTOR = 512;

/** Few contents, so that disks and points have much in common. The first is zeros. */
const ALPHABET: readonly Uint8Array[] = [
  new Uint8Array(BLOCK),
  ...[1, 2, 3, 4, 5, 6].map((seed) => noise(BLOCK, seed)),
  ...[1, 2, 3, 4, 5, 6].map((seed) => text(BLOCK, seed)),
];

/** What a disk holds at one time: its length, and which content each block has. */
export interface Content {
  size: number;
  blocks: readonly number[];
}

export interface SimDisk extends NamedDisk {
  path: string;
  /** All that it ever held; the last is what it holds now. */
  versions: Content[];
}

export interface SimItem {
  name: string;
  disks: SimDisk[];
}

export function drawItems(draw: Draw, folder: string): SimItem[] {
  return ['web', 'db', 'mail'].slice(0, 1 + draw.below(3)).map((name) => ({
    name,
    disks: ['os', 'data'].slice(0, draw.percent(25) ? 2 : 1).map((disk) => {
      const path = join(folder, `${name}-${disk}.raw`);
      const blocks = draw.percent(4) ? manyBlocks(draw) : drawBlocks(draw, 4 + draw.below(20));
      const size = blocks.length * BLOCK - (draw.percent(50) ? SECTOR * draw.below(32) : 0);
      return { name: disk, path, address: { kind: 'file', path, format: 'raw' }, versions: [{ size, blocks }] };
    }),
  }));
}

function drawBlocks(draw: Draw, length: number): number[] {
  return Array.from({ length }, () => draw.below(ALPHABET.length));
}

/** Two leaf pages of the map, mostly of zeros. */
function manyBlocks(draw: Draw): number[] {
  const blocks = new Array<number>(257 + draw.below(20)).fill(0);
  for (const at of [0, 5, 6, 200, 256]) blocks[at] = draw.below(ALPHABET.length);
  return blocks;
}

/** Writes what a disk holds now. Its time stamp tells every change, as those of a good file system do. */
export function writeDisk(disk: SimDisk, time: number): void {
  const { size, blocks } = disk.versions.at(-1) as Content;
  writeFileSync(disk.path, bytesOf({ size, blocks }));
  const seconds = (time - 3_600_000) / 1000 + disk.versions.length;
  utimesSync(disk.path, seconds, seconds);
}

/** Somebody writes to a disk: single blocks, a run of them, or it grows or shrinks. */
export function changeDisk(disk: SimDisk, draw: Draw, time: number): void {
  const { size, blocks } = disk.versions.at(-1) as Content;
  const next = [...blocks];
  const start = draw.below(next.length);
  const count = draw.one([1, 1, 2, 5, Math.min(next.length, 25)]);
  for (let n = start; n < Math.min(next.length, start + count); n++)
    next[n] = draw.percent(25) ? 0 : draw.below(ALPHABET.length);
  const isResized = draw.percent(10);
  if (isResized && draw.percent(50)) next.push(...drawBlocks(draw, 1 + draw.below(6)));
  else if (isResized) next.splice(1 + draw.below(next.length));
  disk.versions.push({ size: isResized ? next.length * BLOCK : size, blocks: next });
  writeDisk(disk, time);
}

export function bytesOf({ size, blocks }: Content): Uint8Array {
  return Buffer.concat(blocks.map((content) => ALPHABET[content] as Uint8Array)).subarray(0, size);
}

/** Whether bytes are what a disk held. */
export function isContent(bytes: Uint8Array, { size, blocks }: Content): boolean {
  if (bytes.byteLength !== size) return false;
  return blocks.every((content, n) => {
    const found = bytes.subarray(n * BLOCK, (n + 1) * BLOCK);
    return Buffer.compare(found, (ALPHABET[content] as Uint8Array).subarray(0, found.byteLength)) === 0;
  });
}
