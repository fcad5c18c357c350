import {
  checkImage,
  type OpenDiskOptions,
  openDisk,
  openWritable,
  type WritableDisk,
} from '../../src/image/vhd-parser.ts';
import { type Content, describe, NOW, typed, windowsOf } from './content.ts';
import type { Draw } from './draw.ts';

/** What opens for writing holds what is written to it, and nothing else of it changes. */
export async function written(
  path: string,
  options: OpenDiskOptions,
  draw: Draw,
  troubles: string[],
): Promise<boolean> {
  let disk: WritableDisk;
  try {
    disk = await openWritable(path, options);
  } catch (error) {
    typed(error, 'opening for writing', troubles);
    return false;
  }
  const windows = windowsOf(disk.size, draw).map(({ offset, length }) => ({ offset, bytes: new Uint8Array(length) }));
  try {
    try {
      for (const { offset, bytes } of windows) await disk.read(offset, bytes);
      for (let left = draw.below(4); left >= 0; left--) {
        const { offset, bytes } = draw.one(windows);
        await writeOne(disk, { offset: Math.ceil(offset / 512) * 512, end: offset + bytes.length }, draw, windows);
        if (draw.percent(20)) await disk.sync();
      }
    } finally {
      await disk[Symbol.asyncDispose]();
    }
    await using again = await openDisk(path, options);
    for (const { offset, bytes } of windows) {
      const now = new Uint8Array(bytes.byteLength);
      await again.read(offset, now);
      if (Buffer.compare(now, bytes) !== 0) troubles.push(`what was written near ${offset} reads differently`);
    }
    const findings = await checkImage(path, { ...options, now: NOW });
    const damage = findings.filter(({ severity }) => severity === 'damage').map(({ what }) => what);
    if (damage.length > 0) troubles.push(`writing made damage: ${damage}`);
    return true;
  } catch (error) {
    const code = typed(error, 'writing', troubles);
    if (!['VHD_TOO_LARGE', 'NO_SPACE'].includes(code)) troubles.push(`writing failed: ${describe(error)}`);
    return false;
  }
}

/** Some sectors inside a range, on the disk and in what it is expected to be. */
async function writeOne(
  disk: WritableDisk,
  { offset, end }: { offset: number; end: number },
  draw: Draw,
  windows: Content['windows'],
): Promise<void> {
  const sectors = Math.floor((end - offset) / 512);
  if (sectors === 0) return;
  const at = offset + draw.below(sectors) * 512;
  const length = Math.min(draw.one([1, 1, 3, 40]), Math.floor((end - at) / 512)) * 512;
  const bytes = new Uint8Array(length).fill(draw.percent(30) ? 0 : 1 + draw.below(255));
  await disk.write(at, bytes);
  for (const window of windows) {
    const from = Math.max(at, window.offset);
    const to = Math.min(at + length, window.offset + window.bytes.length);
    if (from < to) window.bytes.fill(bytes[0]!, from - window.offset, to - window.offset);
  }
}
