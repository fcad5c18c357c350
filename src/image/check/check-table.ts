import { isError } from '../../base/errors.ts';
import { MIB, SECTOR } from '../../base/units.ts';
import type { ByteSource } from '../../io/source.ts';
import { batBytes, parseBat, UNALLOCATED } from '../vhd/bat.ts';
import type { DynamicHeader } from '../vhd/dynamic-header.ts';
import type { FoundFooter } from '../vhd/find-footer.ts';
import { checkTable } from '../vhd/layer.ts';
import type { Report } from './report.ts';

/** The block table as it is in the file, whole or as much of it as there is. */
export interface Table {
  offset: number;
  /** The entries of the disk's blocks. */
  bat: Uint32Array;
  /** Of entries beyond the disk's blocks: where the last block that they name begins, in sectors; 0 where none does. */
  lastExtra: number;
}

/** Checks place and length of the table, its padding, and what stands in it beyond the disk's blocks. */
export async function checkTablePlace(
  source: ByteSource,
  found: FoundFooter,
  header: DynamicHeader,
  report: Report,
): Promise<Table | null> {
  const { tableOffset: offset, maxTableEntries, blockSize } = header;
  const needed = Math.ceil(found.footer.currentSize / blockSize);
  const entry = found.footer.dataOffset!;
  try {
    checkTable(report.path, found, header, needed);
  } catch (error) {
    if (!isError(error)) throw error;
    report.refused(error);
    return null;
  }
  if (maxTableEntries > needed) {
    const what = `the block table has ${maxTableEntries} entries for ${needed} blocks: legal, but Azure and some programs refuse it`;
    const facts = { at: entry + 28, what, expected: needed, found: maxTableEntries };
    report.add('info', 'VHD_TABLE_SIZE', { ...facts, cure: 'convert the image to a new one before an upload' });
  }
  if (offset % SECTOR !== 0) {
    const what = `the block table at byte ${offset} does not begin on a sector; some programs refuse the image`;
    const cure = 'convert the image to a new one';
    report.add('warning', 'VHD_TABLE_PLACE', { at: entry + 16, what, expected: 'n * 512', found: offset, cure });
  }
  await checkPadding(source, offset + maxTableEntries * 4, offset + batBytes(maxTableEntries), report);
  const bytes = new Uint8Array(needed * 4);
  await source.read(offset, bytes);
  const extra = await readExtras(source, offset + needed * 4, offset + maxTableEntries * 4);
  if (extra.count > 0) reportExtras(extra, needed, report);
  return { offset, bat: parseBat(bytes), lastExtra: extra.last };
}

async function checkPadding(source: ByteSource, from: number, to: number, report: Report): Promise<void> {
  const bytes = new Uint8Array(Math.max(0, Math.min(to, source.size) - from));
  if (bytes.byteLength === 0) return;
  await source.read(from, bytes);
  if (bytes.every((byte) => byte === bytes[0]) && (bytes[0] === 0 || bytes[0] === 0xff)) return;
  const what = `the padding of the block table is neither FF (Windows) nor 00 (Disk2vhd); nothing reads it`;
  report.add('info', 'VHD_TABLE_PADDING', { at: from, what, expected: 0xff, found: bytes[0]! });
}

interface Extras {
  count: number;
  last: number;
  /** Of the first, in the file. */
  at: number;
}

/** A table of a hostile file may claim gigabytes. */
const MOST_EXTRA = 64 * MIB;

/** What a table names beyond the disk's blocks. */
export async function readExtras(source: ByteSource, from: number, to: number): Promise<Extras> {
  const extras: Extras = { count: 0, last: 0, at: 0 };
  const end = Math.min(to, from + MOST_EXTRA);
  for (let at = from; at < end; at += MIB) {
    const bytes = new Uint8Array(Math.min(MIB, end - at));
    await source.read(at, bytes);
    parseBat(bytes).forEach((entry, i) => {
      if (entry === UNALLOCATED || entry === 0) return;
      if (extras.count++ === 0) extras.at = at + i * 4;
      extras.last = Math.max(extras.last, entry);
    });
  }
  return extras;
}

function reportExtras({ count, at }: Extras, needed: number, report: Report): void {
  const what = `${count} table entries beyond the ${needed} blocks of the disk name blocks, which nothing reads`;
  const cure = 'if the disk was made smaller by mistake, they are its lost end; else convert the image to a new one';
  report.add('info', 'VHD_TABLE_EXTRA', { at, what, expected: UNALLOCATED, cure });
}
