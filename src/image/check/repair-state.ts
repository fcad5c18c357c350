import { roundUp, SECTOR } from '../../base/units.ts';
import { batBytes, UNALLOCATED } from '../vhd/bat.ts';
import { HEADER_BYTES } from '../vhd/dynamic-header.ts';
import { FOOTER_BYTES } from '../vhd/footer.ts';
import type { Layer } from '../vhd/layer.ts';
import { inFileOrder } from './check-entries.ts';
import { readExtras } from './check-table.ts';
import { readFooters } from './footers.ts';
import type { Range } from './metadata-copy.ts';
import type { RepairState, RepairStep } from './plan-repair.ts';
import { structuresOf, usedRanges } from './used-ranges.ts';

/** Reads what the repair of an opened image depends on. */
export async function readRepairState(layer: Layer): Promise<RepairState> {
  const { source, header, blocks, batmap, size } = layer;
  const footers = await readFooters(source);
  const fileSize = source.size;
  if (!header || !blocks) return { fileSize, footers, dataEnd: size, copyFree: false };
  const limit = footers.found?.limit ?? fileSize;
  const { bat, blockSize, bitmapBytes } = blocks;
  const table = header.tableOffset;
  const extras = await readExtras(source, table + bat.length * 4, table + header.maxTableEntries * 4);
  const structures = structuresOf({ header, headerOffset: layer.footer!.dataOffset!, batmap, limit });
  const stored = { bat, blockSize, bitmapBytes, order: inFileOrder(bat), currentSize: size, faulty: new Uint8Array(0) };
  const last = bat.at(-1)!;
  // Of a file that was cut short, the last block may be whole only behind its end.
  let dataEnd = last === UNALLOCATED ? 0 : last * SECTOR + bitmapBytes + blockSize;
  for (const { end } of usedRanges({ structures, header, blocks: stored, lastExtra: extras.last, limit })) {
    dataEnd = Math.max(dataEnd, end);
  }
  const copyFree = structures.every(({ start, name }) => name === 'the copy of the footer' || start >= FOOTER_BYTES);
  return { fileSize, footers, dataEnd: roundUp(dataEnd, SECTOR), copyFree };
}

/** What a copy of the metadata has: all structures, and all that the steps overwrite or cut off. */
export function rangesToSave({ source, header, footer }: Layer, steps: readonly RepairStep[]): Range[] {
  const ranges = steps.map(({ offset, length }) => ({ start: offset, end: offset + length }));
  ranges.push({ start: 0, end: FOOTER_BYTES });
  ranges.push({ start: Math.max(0, source.size - FOOTER_BYTES), end: source.size });
  if (!header) return ranges;
  const at = footer!.dataOffset!;
  const table = header.tableOffset;
  ranges.push({ start: at, end: at + HEADER_BYTES });
  ranges.push({ start: table, end: table + batBytes(header.maxTableEntries) });
  for (const { dataOffset, dataLength } of header.locators) {
    if (dataLength <= MOST_PATH) ranges.push({ start: dataOffset, end: dataOffset + dataLength });
  }
  return ranges;
}

/** Longer ones are no paths. */
const MOST_PATH = 131072;
