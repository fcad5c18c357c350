import { isError } from '../../base/errors.ts';
import { asBuffer } from '../../base/hex.ts';
import type { ByteSource } from '../../io/source.ts';
import type { DynamicHeader } from '../vhd/dynamic-header.ts';
import {
  checkLocator,
  isPathLocator,
  LOCATOR_BYTES,
  LOCATORS_AT,
  locatorRoom,
  type ParentLocator,
  parseLocatorPath,
  platformOf,
} from '../vhd/parent-locator.ts';
import { viewOf } from '../vhd/where.ts';
import type { Report } from './report.ts';

/** Checks the parent locators of a differencing image, and that they name a parent at all. */
export async function checkLocators(
  source: ByteSource,
  header: DynamicHeader,
  headerOffset: number,
  report: Report,
): Promise<void> {
  const seen = new Map<string, number>();
  let paths = 0;
  for (const locator of header.locators) {
    const at = headerOffset + LOCATORS_AT + locator.slot * LOCATOR_BYTES;
    checkCode(locator, at, seen, report);
    checkRoom(locator, at, report);
    if (await readsPath(source, locator, at, report)) paths++;
  }
  if (paths > 0) return;
  const name = header.parentName;
  const what =
    name === '' ? 'nothing says which file its parent is' : `only its header names the parent: ${told(name)}`;
  const cure = 'convert the chain to one image on the host that made it, or keep the parent beside it';
  report.add(name === '' ? 'warning' : 'info', 'VHD_LOCATOR_NONE', { at: headerOffset + LOCATORS_AT, what, cure });
}

function checkCode({ code, slot }: ParentLocator, at: number, seen: Map<string, number>, report: Report): void {
  const platform = platformOf(code);
  if (platform === null || platform !== code) {
    const spelt = platform === null ? 'of no known platform' : `as VirtualBox misspells ${platform}`;
    const what = `parent locator ${slot} has the code ${told(code)}, ${spelt}; some programs refuse the image for it`;
    report.add('info', 'VHD_LOCATOR_CODE', { at, what, found: told(code) });
  }
  const before = seen.get(platform ?? code);
  if (before !== undefined) {
    const what = `parent locators ${before} and ${slot} have the same code ${told(code)}`;
    report.add('info', 'VHD_LOCATOR_TWICE', { at, what, found: told(code) });
  }
  seen.set(platform ?? code, slot);
}

function checkRoom(locator: ParentLocator, at: number, report: Report): void {
  const { slot, dataSpace, dataLength } = locator;
  const room = locatorRoom(locator);
  if (room !== null && room >= dataLength) return;
  const what =
    room === null
      ? `parent locator ${slot}: data space ${dataSpace} is neither bytes in whole sectors nor sectors`
      : `parent locator ${slot}: ${dataLength} bytes in a data space of ${room}`;
  report.add('info', 'VHD_LOCATOR_SPACE', { at: at + 4, what, expected: dataLength, found: dataSpace });
}

/** Whether the locator tells a path. What is no path, no program needs: that it is out of the file is no damage. */
async function readsPath(source: ByteSource, locator: ParentLocator, at: number, report: Report): Promise<boolean> {
  try {
    checkLocator(locator, source.size, { path: report.path, offset: at });
  } catch (error) {
    if (!isError(error)) throw error;
    if (isPathLocator(locator)) report.refused(error);
    else {
      const what = `parent locator ${locator.slot} (${told(locator.code)}) lies outside of the file`;
      report.add('info', 'VHD_LOCATOR_DATA', { at: at + 16, what, found: locator.dataOffset });
    }
    return false;
  }
  const entry = new Uint8Array(LOCATOR_BYTES);
  await source.read(at, entry);
  const reserved = viewOf(entry).getUint32(12);
  if (reserved !== 0) {
    const what = `parent locator ${locator.slot}: reserved bytes are not zero`;
    report.add('info', 'VHD_LOCATOR_RESERVED', { at: at + 12, what, expected: 0, found: reserved });
  }
  if (!isPathLocator(locator)) return false;
  const data = new Uint8Array(locator.dataLength);
  await source.read(locator.dataOffset, data);
  return checkPath(locator, data, report);
}

function checkPath({ slot, code, dataOffset }: ParentLocator, data: Uint8Array, report: Report): boolean {
  const path = parseLocatorPath(code, data);
  const trouble = path === '' ? 'is empty' : undecodable(platformOf(code) ?? code, data, path);
  if (trouble !== null) {
    const what = `parent locator ${slot} (${told(code)}): its path ${trouble}`;
    const cure = 'keep the parent beside the image under the name that the header tells';
    report.add('warning', 'VHD_LOCATOR_PATH', { at: dataOffset, what, cure });
  }
  return path !== '';
}

function undecodable(platform: string, data: Uint8Array, path: string): string | null {
  const wide = platform === 'W2ru' || platform === 'W2ku';
  if (wide && data.byteLength % 2 !== 0) return `of ${data.byteLength} bytes is no UTF-16`;
  if (path.startsWith('\ufeff')) return 'begins with a byte order mark';
  if (wide && !path.isWellFormed()) return `${told(path)} has half a character`;
  if (platform === 'MacX' && path.includes('\ufffd') && !isUtf8(data)) return 'is no UTF-8';
  if ([...path].some((letter) => letter < ' ')) return `${told(path)} has control characters`;
  return null;
}

function isUtf8(data: Uint8Array): boolean {
  const buffer = asBuffer(data);
  return buffer.equals(Buffer.from(buffer.toString('utf8'), 'utf8'));
}

/** Anybody's text, in quotes, made safe for a terminal, and no longer than a line. */
function told(text: string): string {
  const safe = JSON.stringify(text.slice(0, 200));
  return text.length > 200 ? `${safe}...` : safe;
}
