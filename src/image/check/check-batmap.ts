import { isError } from '../../base/errors.ts';
import { SECTOR } from '../../base/units.ts';
import type { ByteSource } from '../../io/source.ts';
import { batBytes, UNALLOCATED } from '../vhd/bat.ts';
import type { DynamicHeader } from '../vhd/dynamic-header.ts';
import type { Footer } from '../vhd/footer.ts';
import { hasSector } from '../vhd/sector-bitmap.ts';
import {
  BATMAP_HEADER_BYTES,
  batmapChecksum,
  type FoundBatmap,
  findBatmap,
  parseBatmapHeader,
} from '../vhd/tap-batmap.ts';
import type { StoredBlocks } from './check-entries.ts';
import type { Report } from './report.ts';

interface Image {
  footer: Footer;
  header: DynamicHeader;
  blocks: StoredBlocks;
  limit: number;
}

const CURE = 'convert the image to a new one before XenServer uses it again; this program reads it right';

/** Finds XenServer's batmap; null where there is none, or none that can be used. */
export async function checkBatmapHeader(source: ByteSource, image: Image, report: Report): Promise<FoundBatmap | null> {
  const { footer, header, blocks, limit } = image;
  const table = { ...blocks, stored: blocks.order.length };
  try {
    const found = await findBatmap(source, { footer, header, limit, blocks: table });
    if (found) return found;
  } catch (error) {
    if (!isError(error)) throw error;
    report.refused(error);
    return null;
  }
  if (!footer.creatorApplication.startsWith('tap')) return null;
  const offset = header.tableOffset + batBytes(header.maxTableEntries);
  if (offset + BATMAP_HEADER_BYTES > limit) return null;
  const bytes = new Uint8Array(BATMAP_HEADER_BYTES);
  await source.read(offset, bytes);
  try {
    parseBatmapHeader(bytes, { path: report.path, offset });
  } catch (error) {
    if (!isError(error)) throw error;
    // Most often there is simply something else.
    if (error.code === 'VHD_HEADER_MISSING') return null;
    const what = error.message.replace(`${report.path}: `, '').replace(/ \(at byte \d+\)$/, '');
    report.add('warning', 'VHD_BATMAP', { at: Number(error.details.offset), what, cure: CURE });
  }
  return null;
}

/** Where the map says of a block that all of its sectors are there, XenServer does not look at its bitmap. */
export async function checkBatmap(
  source: ByteSource,
  found: FoundBatmap,
  image: Image & { full: Uint8Array },
  report: Report,
): Promise<void> {
  const { mapOffset, mapSectors, version, checksum } = found.header;
  const { bat } = image.blocks;
  const wrong = (at: number, what: string, facts: { expected?: number; found?: number } = {}): void =>
    report.add('warning', 'VHD_BATMAP', { at, what, ...facts, cure: CURE });
  const needed = Math.ceil(bat.length / 8);
  if (mapOffset + mapSectors * SECTOR > image.limit || mapSectors * SECTOR > MOST_MAP) {
    const what = `the batmap of ${mapSectors} sectors at byte ${mapOffset} is not inside of the file`;
    return wrong(found.offset + 8, what, { expected: image.limit, found: mapOffset + mapSectors * SECTOR });
  }
  if (mapSectors * SECTOR < needed) {
    const what = `the batmap has ${mapSectors} sectors for ${bat.length} blocks`;
    return wrong(found.offset + 16, what, { expected: Math.ceil(needed / SECTOR), found: mapSectors });
  }
  const map = new Uint8Array(mapSectors * SECTOR);
  await source.read(mapOffset, map);
  const sum = batmapChecksum(map, version);
  if (sum !== checksum) {
    wrong(found.offset + 24, 'the checksum of the batmap is wrong', { expected: sum, found: checksum });
  }
  for (let block = 0; block < bat.length; block++) {
    if (!hasSector(map, block) || (bat[block] !== UNALLOCATED && hasSector(image.full, block))) continue;
    const is = bat[block] === UNALLOCATED ? 'which is not stored' : 'whose bitmap has clear bits';
    wrong(mapOffset + (block >>> 3), `the batmap says that all sectors of block ${block} are there, ${is}`);
  }
}

/** 64 MiB of table are the most that is read: its map has 2 MiB. */
const MOST_MAP = 2 ** 22;
