import type { VhdvaultError } from '../../base/errors.ts';
import type { Finding } from '../../base/finding.ts';
import { SECTOR } from '../../base/units.ts';
import type { ByteSource } from '../../io/source.ts';
import { type BlockTable, batBytes, checkBat, parseBat, type TakenRange } from './bat.ts';
import { MOST_ENTRIES } from './block-layout.ts';
import { type DynamicHeader, HEADER_BYTES, parseDynamicHeader } from './dynamic-header.ts';
import type { FoundFooter } from './find-footer.ts';
import { FOOTER_BYTES, type Footer } from './footer.ts';
import { headerOddities, oddities } from './oddities.ts';
import {
  checkLocator,
  checkLocatorPlace,
  isPathLocator,
  LOCATOR_BYTES,
  LOCATORS_AT,
  type ParentLocator,
  parseLocatorPath,
  platformOf,
} from './parent-locator.ts';
import { bitmapBytes } from './sector-bitmap.ts';
import { type FoundBatmap, findBatmap } from './tap-batmap.ts';
import { malformed, type Where } from './where.ts';

/** What an image was found to be. */
export type ImageFormat = 'vhd-fixed' | 'vhd-dynamic' | 'vhd-differencing' | 'raw' | 'block-device';

/** A locator with its path read; null for codes that are no paths. */
export interface LocatorPath {
  /** Four characters: `W2ru`, `W2ku`, `MacX`, ... */
  code: string;
  /** As it is stored: mostly a Windows path. */
  path: string | null;
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
  /** XenServer's map of full blocks, which reading does not need. */
  batmap: FoundBatmap | null;
  findings: readonly Finding[];
}

/** A file whose bytes are the disk's. */
export function rawLayer(source: ByteSource, format: 'raw' | 'block-device'): Layer {
  const plain = { footer: null, header: null, locators: [], blocks: null, batmap: null, findings: [] };
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
    batmap: null,
    findings,
  };
  if (footer.type === 'fixed') return layer;
  refuseTap01(source.path, found);
  const header = await readHeader(source, found);
  checkTable(source.path, found, header, Math.ceil(footer.currentSize / header.blockSize));
  // In a dynamic image they are of no use, so they cannot be wrong.
  const locators = footer.type === 'differencing' ? await readLocators(source, found, header) : [];
  const blocks = await readBlocks(source, found, header);
  const batmap = await findBatmap(source, { footer, header, blocks, limit: found.limit });
  findings.push(...headerOddities(source.path, header));
  return { ...layer, header, locators, blocks, batmap };
}

async function readHeader(source: ByteSource, found: FoundFooter): Promise<DynamicHeader> {
  const { path } = source;
  const offset = found.footer.dataOffset;
  const footer = { path, offset: found.offset };
  const hint = 'the footer is damaged; copy the image again from where it came';
  if (offset === null || offset % SECTOR !== 0) {
    const what = offset === null ? 'no data offset' : `data offset ${offset} is no multiple of 512`;
    throw malformed('VHD_FOOTER_FIELD', footer, { at: 16, what, expected: 'n * 512', found: offset ?? -1, hint });
  }
  if (offset < FOOTER_BYTES) {
    const what = `data offset ${offset} lies in the copy of the footer`;
    throw malformed('VHD_FOOTER_FIELD', footer, { at: 16, what, expected: FOOTER_BYTES, found: offset, hint });
  }
  const end = offset + HEADER_BYTES;
  if (end > found.limit) throw truncated(footer, 16, { what: 'the dynamic header', end, limit: found.limit });
  const bytes = new Uint8Array(HEADER_BYTES);
  await source.read(offset, bytes);
  return parseDynamicHeader(bytes, { path, offset });
}

async function readLocators(source: ByteSource, found: FoundFooter, header: DynamicHeader): Promise<LocatorPath[]> {
  const paths: LocatorPath[] = [];
  for (const locator of header.locators) {
    const code = platformOf(locator.code) ?? locator.code;
    if (!isPathLocator(locator)) {
      paths.push({ code, path: null });
      continue;
    }
    const entry = found.footer.dataOffset! + LOCATORS_AT + locator.slot * LOCATOR_BYTES;
    const where = { path: source.path, offset: entry };
    checkLocator(locator, found.limit, where);
    checkLocatorPlace(locator, headRanges(found.footer.dataOffset!, header), where);
    const data = new Uint8Array(locator.dataLength);
    await source.read(locator.dataOffset, data);
    paths.push({ code, path: parseLocatorPath(locator.code, data) });
  }
  return paths;
}

async function readBlocks(source: ByteSource, found: FoundFooter, header: DynamicHeader): Promise<BlockTable> {
  const { path } = source;
  const { blockSize, tableOffset } = header;
  const { currentSize } = found.footer;
  const needed = Math.ceil(currentSize / blockSize);
  const bytes = new Uint8Array(needed * 4);
  await source.read(tableOffset, bytes);
  const bat = parseBat(bytes);
  const taken = takenRanges(found.footer, header);
  const where = { path, offset: tableOffset };
  const stored = checkBat(bat, { where, blockSize, currentSize, limit: found.limit, cut: found.cut, taken });
  return { blockSize, bitmapBytes: bitmapBytes(blockSize), bat, stored };
}

/** Before memory is taken for the table: whether it is long enough, where a table can be, and of a size that is read. */
export function checkTable(path: string, found: FoundFooter, header: DynamicHeader, needed: number): void {
  const { blockSize, tableOffset, maxTableEntries } = header;
  const start = found.footer.dataOffset!;
  const where = { path, offset: start };
  const hint = 'the header is damaged; copy the image again from where it came';
  if (maxTableEntries < needed) {
    const what = `the block table has ${maxTableEntries} entries, the disk ${needed} blocks`;
    throw malformed('VHD_BAT', where, { at: 28, what, expected: needed, found: maxTableEntries, hint });
  }
  if (maxTableEntries * 4 > found.limit) {
    const what = `the block table claims ${maxTableEntries} entries in a file of ${found.limit} bytes`;
    throw malformed('VHD_BAT', where, { at: 28, what, expected: needed, found: maxTableEntries, hint });
  }
  const end = tableOffset + maxTableEntries * 4;
  if (end > found.limit) throw truncated(where, 16, { what: 'the block table', end, limit: found.limit });
  if (tableOffset < FOOTER_BYTES || (tableOffset < start + HEADER_BYTES && end > start)) {
    const what = `the block table at byte ${tableOffset} overlaps a header`;
    throw malformed('VHD_HEADER_FIELD', where, { at: 16, what, found: tableOffset, hint });
  }
  if (needed > MOST_ENTRIES) {
    const what = `a disk of ${needed} blocks of ${blockSize} bytes needs too much memory to be read`;
    const convert = 'convert it by another program to blocks of 2 MiB';
    throw malformed('VHD_TOO_LARGE', where, { at: 28, what, expected: MOST_ENTRIES, found: needed, hint: convert });
  }
}

/** Where neither a block nor a locator's data can be. */
export function headRanges(at: number, header: Pick<DynamicHeader, 'tableOffset' | 'maxTableEntries'>): TakenRange[] {
  const table = header.tableOffset;
  return [
    { start: 0, end: FOOTER_BYTES, name: 'the copy of the footer' },
    { start: at, end: at + HEADER_BYTES, name: 'the dynamic header' },
    { start: table, end: table + batBytes(header.maxTableEntries), name: 'the block table' },
  ];
}

export function takenRanges(footer: Footer, header: DynamicHeader): TakenRange[] {
  const path = (locator: ParentLocator): boolean =>
    footer.type === 'differencing' && isPathLocator(locator) && locator.dataLength > 0;
  return [
    ...headRanges(footer.dataOffset!, header),
    ...header.locators.filter(path).map((locator) => ({
      start: locator.dataOffset,
      end: locator.dataOffset + locator.dataLength,
      name: `parent locator ${locator.slot}`,
    })),
  ];
}

/** The error of a field that points beyond the end of the file, at the field. */
function truncated(where: Where, at: number, claim: { what: string; end: number; limit: number }): VhdvaultError {
  return malformed('VHD_TRUNCATED', where, {
    at,
    what: `${claim.what} would end at byte ${claim.end}, the file at ${claim.limit}`,
    expected: claim.end,
    found: claim.limit,
    hint: 'the file is truncated; copy the image again from where it came',
  });
}

/** blktap's first version wrote its bitmaps with the bits the other way round; nobody reads them any more. */
function refuseTap01(path: string, { footer, offset }: FoundFooter): void {
  if (!footer.creatorApplication.startsWith('tap') || footer.creatorVersion !== 1) return;
  throw malformed(
    'VHD_FOOTER_FIELD',
    { path, offset },
    {
      at: 32,
      what: 'written by tapdisk 0.1, whose sector bitmaps are little-endian',
      expected: 0x00010001,
      found: 1,
      hint: 'open it with a newer XenServer first, which rewrites it',
    },
  );
}
