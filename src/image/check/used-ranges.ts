import { roundUp, SECTOR } from '../../base/units.ts';
import type { TakenRange } from '../vhd/bat.ts';
import type { DynamicHeader } from '../vhd/dynamic-header.ts';
import { headRanges } from '../vhd/layer.ts';
import { locatorRoom } from '../vhd/parent-locator.ts';
import { BATMAP_HEADER_BYTES, type FoundBatmap } from '../vhd/tap-batmap.ts';
import type { StoredBlocks } from './check-entries.ts';

/** The ranges of a file that its structures take, those that lie inside of it. */
export function structuresOf(image: {
  header: DynamicHeader;
  headerOffset: number;
  batmap: FoundBatmap | null;
  limit: number;
}): TakenRange[] {
  const { header, headerOffset, batmap, limit } = image;
  const ranges = [
    ...headRanges(headerOffset, header),
    ...header.locators.map(({ slot, dataOffset, dataLength }) => {
      return { start: dataOffset, end: dataOffset + dataLength, name: `parent locator ${slot}` };
    }),
  ];
  if (batmap) {
    const { mapOffset, mapSectors } = batmap.header;
    ranges.push({ start: batmap.offset, end: batmap.offset + BATMAP_HEADER_BYTES, name: 'the batmap header' });
    ranges.push({ start: mapOffset, end: mapOffset + mapSectors * SECTOR, name: 'the batmap' });
  }
  return ranges.filter(({ start, end }) => start < end && end <= limit);
}

/**
 * All that is in use, in the order of the file: structures, the room that locators claim, blocks (the last one whole, whatever
 * the disk needs of it), and blocks that only the unused end of the table names, for these are not ours to give away.
 */
export function* usedRanges(image: {
  structures: readonly TakenRange[];
  header?: DynamicHeader;
  blocks: StoredBlocks | null;
  lastExtra: number;
  limit: number;
}): Generator<{ start: number; end: number }> {
  const { structures, blocks, limit } = image;
  const clipped = (start: number, end: number): { start: number; end: number } => ({
    start,
    end: Math.min(end, limit),
  });
  const whole = blocks ? blocks.bitmapBytes + blocks.blockSize : 0;
  const others = structures.map(({ start, end }) => ({ start, end: roundUp(end, SECTOR) }));
  if (image.lastExtra > 0 && image.lastExtra * SECTOR < limit) {
    others.push({ start: image.lastExtra * SECTOR, end: image.lastExtra * SECTOR + whole });
  }
  for (const locator of image.header?.locators ?? []) {
    const end = locator.dataOffset + Math.min(locatorRoom(locator) ?? 0, MOST_ROOM);
    if (end <= limit) others.push({ start: locator.dataOffset, end });
  }
  others.sort((a, b) => a.start - b.start);
  let other = 0;
  for (const block of blocks?.order ?? []) {
    const start = blocks!.bat[block]! * SECTOR;
    for (; other < others.length && others[other]!.start <= start; other++) {
      yield clipped(others[other]!.start, others[other]!.end);
    }
    if (start < limit) yield clipped(start, start + whole);
  }
  for (; other < others.length; other++) yield clipped(others[other]!.start, others[other]!.end);
}

/** Of a locator: a data space that was meant in bytes, and is read as sectors, would claim the whole file. */
const MOST_ROOM = 131072;
