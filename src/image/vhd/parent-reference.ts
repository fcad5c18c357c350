import { isError } from '../../base/errors.ts';
import { narrow, SECTOR } from '../../base/units.ts';
import type { ByteSource } from '../../io/source.ts';
import { checksum } from './checksum.ts';
import { HEADER_BYTES, parseDynamicHeader } from './dynamic-header.ts';
import { storedNames } from './find-parent.ts';
import { diskTypeNumber, FOOTER_BYTES, hasFooterCookie, isPoisoned, parseFooter } from './footer.ts';
import type { LocatorPath } from './layer.ts';
import { checkLocator, isPathLocator, parseLocatorPath } from './parent-locator.ts';
import { isVhdName } from './recognise.ts';
import { asciiAt, viewOf } from './where.ts';

/** Which image a differencing image names as its parent. */
export interface ParentReference {
  /** Its own. */
  uniqueId: Uint8Array;
  /** All zero: the parent is a raw file, and `referredNames` tells where. */
  parentUniqueId: Uint8Array;
  header: Uint8Array;
}

/** No smaller file has a footer, its copy and a header. */
export const LEAST_CHILD: number = FOOTER_BYTES + HEADER_BYTES + FOOTER_BYTES - 1;

/**
 * Reads what a differencing image says of its parent; null when it is none. A damaged one counts as long as it says it: it may
 * be mended, or be read by a program that looks at no checksum, and then it needs its parent as that was.
 */
export async function readReference(source: ByteSource): Promise<ParentReference | null> {
  const end = await footerAtEnd(source);
  if (end && isWhole(end) && !isDifferencing(end)) return null;
  const reference = end && (await follow(source, end));
  // The first sector of other files is the guest's.
  if (reference || !isVhdName(source.path)) return reference;
  const copy = new Uint8Array(FOOTER_BYTES);
  await source.read(0, copy);
  return hasFooterCookie(copy) ? await follow(source, copy) : null;
}

async function footerAtEnd(source: ByteSource): Promise<Uint8Array | null> {
  const bytes = new Uint8Array(FOOTER_BYTES + 1);
  await source.read(source.size - FOOTER_BYTES, bytes.subarray(0, FOOTER_BYTES));
  if (isFooter(bytes)) return bytes.subarray(0, FOOTER_BYTES);
  // One of 511 bytes begins later, and the byte that it lacks counts as zero.
  return source.size % SECTOR === 511 && isFooter(bytes.subarray(1)) ? bytes.subarray(1) : null;
}

/** One that XenServer has disabled needs its parent, too. */
function isFooter(bytes: Uint8Array): boolean {
  return hasFooterCookie(bytes) || isPoisoned(bytes);
}

function isWhole(footer: Uint8Array): boolean {
  try {
    parseFooter(footer);
    return true;
  } catch (error) {
    if (isError(error)) return false;
    throw error;
  }
}

function isDifferencing(footer: Uint8Array): boolean {
  return viewOf(footer).getUint32(60) === diskTypeNumber('differencing');
}

async function follow(source: ByteSource, footer: Uint8Array): Promise<ParentReference | null> {
  const offset = narrow(viewOf(footer).getBigUint64(16));
  if (!isDifferencing(footer) || offset === undefined || offset + HEADER_BYTES > source.size) return null;
  const header = new Uint8Array(HEADER_BYTES);
  await source.read(offset, header);
  if (asciiAt(viewOf(header), 0, 8) !== 'cxsparse') return null;
  return { uniqueId: footer.slice(68, 84), parentUniqueId: header.slice(40, 56), header };
}

/** The paths of the parent that the image stores, in the order of trust; none where its header cannot be understood. */
export async function referredNames(source: ByteSource, { header }: ParentReference): Promise<string[]> {
  const mended = header.slice();
  viewOf(mended).setUint32(36, checksum(mended, 36));
  try {
    const { locators, parentName } = parseDynamicHeader(mended);
    const paths: LocatorPath[] = [];
    for (const locator of locators.filter(isPathLocator)) {
      checkLocator(locator, source.size, { path: source.path, offset: locator.dataOffset });
      const data = new Uint8Array(locator.dataLength);
      await source.read(locator.dataOffset, data);
      paths.push({ code: locator.code, path: parseLocatorPath(locator.code, data) });
    }
    return storedNames(paths, parentName);
  } catch (error) {
    if (isError(error, 'VHD_HEADER_FIELD', 'VHD_LOCATOR')) return [];
    throw error;
  }
}
