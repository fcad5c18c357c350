import { VhdvaultError } from '../../base/errors.ts';
import type { Finding } from '../../base/finding.ts';
import { MIB, SECTOR } from '../../base/units.ts';
import type { ByteSource } from '../../io/source.ts';
import { batBytes, checkBat, parseBat } from './bat.ts';
import { type DynamicHeader, HEADER_BYTES, parseDynamicHeader } from './dynamic-header.ts';
import type { FoundFooter } from './find-footer.ts';
import { FOOTER_BYTES, type Footer } from './footer.ts';
import { geometryBytes } from './geometry.ts';
import { checkLocator, isPathLocator, type ParentLocator, parseLocatorPath } from './parent-locator.ts';
import { bitmapBytes } from './sector-bitmap.ts';
import { checkEncryption } from './tap-batmap.ts';
import { malformed } from './where.ts';

/** What an image was found to be. */
export type ImageFormat = 'vhd-fixed' | 'vhd-dynamic' | 'vhd-differencing' | 'raw' | 'block-device';

/** A locator with its path read; null for codes that are no paths. */
export interface LocatorPath {
  /** Four characters: `W2ru`, `W2ku`, `MacX`, ... */
  code: string;
  /** As it is stored: mostly a Windows path. */
  path: string | null;
}

/** Where the blocks of a dynamic or differencing image are. */
export interface BlockTable {
  blockSize: number;
  bitmapBytes: number;
  /** Sector of each block's bitmap, UNALLOCATED where there is none. */
  bat: Uint32Array;
  stored: number;
}

/** One file of a chain, opened and checked. */
export interface Layer {
  source: ByteSource;
  format: ImageFormat;
  /** Virtual size, bytes. */
  size: number;
  footer: Footer | null;
  header: DynamicHeader | null;
  locators: readonly LocatorPath[];
  /** Null: the disk's bytes are the file's. */
  blocks: BlockTable | null;
  findings: readonly Finding[];
}

/** A file whose bytes are the disk's. */
export function rawLayer(source: ByteSource, format: 'raw' | 'block-device'): Layer {
  const plain = { footer: null, header: null, locators: [], blocks: null, findings: [] };
  return { source, format, size: source.size, ...plain };
}

/**
 * Reads and checks everything of a VHD but its blocks.
 * @throws VHD_HEADER_*, VHD_BAT, VHD_LOCATOR, VHD_TRUNCATED, VHD_ENCRYPTED
 */
export async function openLayer(source: ByteSource, found: FoundFooter): Promise<Layer> {
  const { footer } = found;
  const findings = [...found.findings, ...oddities(source.path, footer)];
  const layer: Layer = {
    source,
    format: `vhd-${footer.type}`,
    size: footer.currentSize,
    footer,
    header: null,
    locators: [],
    blocks: null,
    findings,
  };
  if (footer.type === 'fixed') return layer;
  refuseTap01(source.path, footer);
  const header = await readHeader(source, found);
  const locators = await readLocators(source, header);
  await checkEncryption(source, footer, header);
  const blocks = await readBlocks(source, found, header);
  findings.push(...headerOddities(source.path, header));
  return { ...layer, header, locators, blocks };
}

async function readHeader(source: ByteSource, found: FoundFooter): Promise<DynamicHeader> {
  const { path } = source;
  const offset = found.footer.dataOffset;
  if (offset === null || offset % SECTOR !== 0) {
    const hint = 'the footer is damaged; copy the image again from where it came';
    throw malformed('VHD_FOOTER_FIELD', { path, offset: found.limit }, { at: 16, what: `data offset ${offset}`, hint });
  }
  if (offset + HEADER_BYTES > source.size)
    throw truncated(path, 'the dynamic header', offset + HEADER_BYTES, source.size);
  const bytes = new Uint8Array(HEADER_BYTES);
  await source.read(offset, bytes);
  return parseDynamicHeader(bytes, { path, offset });
}

async function readLocators(source: ByteSource, header: DynamicHeader): Promise<LocatorPath[]> {
  const paths: LocatorPath[] = [];
  for (const locator of header.locators) {
    if (!isPathLocator(locator)) {
      paths.push({ code: locator.code, path: null });
      continue;
    }
    checkLocator(locator, source.size, { path: source.path, offset: locator.dataOffset });
    const data = new Uint8Array(locator.dataLength);
    await source.read(locator.dataOffset, data);
    paths.push({ code: locator.code, path: parseLocatorPath(locator.code, data) });
  }
  return paths;
}

async function readBlocks(source: ByteSource, found: FoundFooter, header: DynamicHeader): Promise<BlockTable> {
  const { path } = source;
  const { blockSize, tableOffset, maxTableEntries } = header;
  const { currentSize } = found.footer;
  const where = { path, offset: tableOffset };
  const needed = Math.ceil(currentSize / blockSize);
  const hint = 'the header is damaged; copy the image again from where it came';
  if (maxTableEntries < needed) {
    const what = `the block table has ${maxTableEntries} entries, the disk ${needed} blocks`;
    throw malformed('VHD_BAT', where, { what, expected: needed, found: maxTableEntries, hint });
  }
  if (maxTableEntries * 4 > source.size) {
    const what = `the block table claims ${maxTableEntries} entries in a file of ${source.size} bytes`;
    throw malformed('VHD_BAT', where, { what, expected: needed, found: maxTableEntries, hint });
  }
  const end = tableOffset + maxTableEntries * 4;
  if (end > found.limit) throw truncated(path, 'the block table', end, found.limit);
  const bytes = new Uint8Array(needed * 4);
  await source.read(tableOffset, bytes);
  const bat = parseBat(bytes);
  const taken = takenRanges(found.footer, header);
  const stored = checkBat(bat, { where, blockSize, currentSize, limit: found.limit, cut: found.cut, taken });
  return { blockSize, bitmapBytes: bitmapBytes(blockSize), bat, stored };
}

function takenRanges(footer: Footer, header: DynamicHeader): { start: number; end: number; name: string }[] {
  const at = footer.dataOffset ?? 0;
  const path = (locator: ParentLocator): boolean => isPathLocator(locator) && locator.dataLength > 0;
  return [
    { start: 0, end: FOOTER_BYTES, name: 'the copy of the footer' },
    { start: at, end: at + HEADER_BYTES, name: 'the dynamic header' },
    { start: header.tableOffset, end: header.tableOffset + batBytes(header.maxTableEntries), name: 'the block table' },
    ...header.locators.filter(path).map((locator) => ({
      start: locator.dataOffset,
      end: locator.dataOffset + locator.dataLength,
      name: `parent locator ${locator.slot}`,
    })),
  ];
}

function truncated(path: string, what: string, expected: number, found: number): VhdvaultError {
  return new VhdvaultError('VHD_TRUNCATED', `${path}: ${what} would end at byte ${expected}, the file at ${found}`, {
    hint: 'the file is truncated; copy the image again from where it came',
    details: { path, offset: found, expected, found },
  });
}

/** blktap's first version wrote its bitmaps with the bits the other way round; nobody reads them any more. */
function refuseTap01(path: string, footer: Footer): void {
  if (!footer.creatorApplication.startsWith('tap') || footer.creatorVersion !== 1) return;
  throw new VhdvaultError(
    'VHD_FOOTER_FIELD',
    `${path}: written by tapdisk 0.1, whose sector bitmaps are little-endian`,
    {
      hint: 'open it with a newer XenServer first, which rewrites it',
      details: { path, offset: 32, found: 1 },
    },
  );
}

/** qemu takes the size from the geometry unless it knows the creator or the geometry is the greatest. */
const SIZE_FIELD_CREATORS = ['win ', 'qem2', 'd2v ', 'd2v\0', 'CTXS', 'tap\0'];

function oddities(path: string, footer: Footer): Finding[] {
  const findings: Finding[] = [];
  const add = (severity: Finding['severity'], code: string, what: string, cure = ''): void => {
    findings.push({ severity, code, what, where: path, cure });
  };
  const covered = geometryBytes(footer.geometry);
  const most = geometryBytes({ cylinders: 65535, heads: 16, sectorsPerTrack: 255 });
  if (!SIZE_FIELD_CREATORS.includes(footer.creatorApplication) && covered !== footer.currentSize && covered !== most) {
    const creator = JSON.stringify(footer.creatorApplication);
    const what = `creator ${creator}: the geometry covers ${covered} bytes, the current size is ${footer.currentSize}, which counts`;
    add('info', 'VHD_SIZE_QUIRK', what, 'with qemu-img, use the option force_size_calc=current_size on this image');
  }
  if (footer.savedState) {
    add(
      'warning',
      'VHD_SAVED_STATE',
      'the machine was suspended: its disk is not quiescent',
      'shut the machine down first',
    );
  }
  if (footer.uniqueId.every((byte) => byte === 0)) add('warning', 'VHD_NULL_ID', 'the unique id is all zero');
  return findings;
}

function headerOddities(path: string, header: DynamicHeader): Finding[] {
  if ([MIB / 2, 2 * MIB].includes(header.blockSize)) return [];
  const what = `blocks of ${header.blockSize} bytes are legal, but some programs read only 2 MiB and 512 KiB`;
  return [{ severity: 'info', code: 'VHD_BLOCK_SIZE', what, where: path, cure: '' }];
}
