import { SECTOR } from '../../base/units.ts';
import type { ByteSource } from '../../io/source.ts';
import { checksum } from '../vhd/checksum.ts';
import { type DynamicHeader, HEADER_BYTES, parseDynamicHeader } from '../vhd/dynamic-header.ts';
import type { Footer } from '../vhd/footer.ts';
import { unusualBlockSize } from '../vhd/oddities.ts';
import { LOCATOR_BYTES, LOCATORS_AT } from '../vhd/parent-locator.ts';
import { isNullId } from '../vhd/unique-id.ts';
import { malformed, viewOf } from '../vhd/where.ts';
import { everyFault, type Faulty } from './every-fault.ts';
import type { Report } from './report.ts';

const HINT = 'copy the image again from where it came';

/** Where opening looks for the header, and up to where the file is data. */
export interface HeaderPlace {
  footer: Footer;
  /** Of the footer in the file. */
  footerOffset: number;
  limit: number;
}

/** Checks the dynamic header; null where there is none to be read. */
export async function checkHeader(
  source: ByteSource,
  place: HeaderPlace,
  report: Report,
): Promise<Faulty<DynamicHeader> | null> {
  const offset = headerOffset(place, report);
  if (offset === null) return null;
  const { path } = report;
  const bytes = new Uint8Array(HEADER_BYTES);
  await source.read(offset, bytes);
  const faulty = everyFault(bytes, offset, (copy) => parseDynamicHeader(copy, { path, offset }), mend);
  for (const fault of faulty.faults) report.refused(fault);
  if (faulty.value) checkFields(bytes, offset, report);
  if (faulty.value && place.footer.type === 'dynamic') checkNoParent(faulty.value, offset, report);
  if (faulty.value && !faulty.guessed.has(32)) checkBlockSize(faulty.value, offset, report);
  return faulty;
}

function headerOffset({ footer, footerOffset, limit }: HeaderPlace, report: Report): number | null {
  const where = { path: report.path, offset: footerOffset };
  const offset = footer.dataOffset;
  if (offset === null || offset % SECTOR !== 0) {
    const what = offset === null ? 'no data offset' : `data offset ${offset} is no multiple of 512`;
    const facts = { at: 16, what, expected: 'n * 512', found: offset ?? -1, hint: `the footer is damaged; ${HINT}` };
    report.refused(malformed('VHD_FOOTER_FIELD', where, facts));
    return null;
  }
  const end = offset + HEADER_BYTES;
  if (end <= limit) return offset;
  const what = `the dynamic header would end at byte ${end}, the file at ${limit}`;
  const hint = `the file is truncated; ${HINT}`;
  report.refused(malformed('VHD_TRUNCATED', where, { at: 16, what, expected: end, found: limit, hint }));
  return null;
}

/** Not the cookie: what does not begin with it is anything. */
function mend(copy: Uint8Array, field: number): boolean {
  const view = viewOf(copy);
  const slot = (field - LOCATORS_AT - 16) / LOCATOR_BYTES;
  if (field === 16) view.setBigUint64(16, 0n);
  else if (field === 24) view.setUint32(24, 0x00010000);
  else if (field === 32) view.setUint32(32, 2 ** 21);
  else if (Number.isInteger(slot) && slot >= 0 && slot < 8) view.setUint32(LOCATORS_AT + slot * LOCATOR_BYTES, 0);
  else if (field !== 36) return false;
  view.setUint32(36, checksum(copy, 36));
  return true;
}

function checkFields(bytes: Uint8Array, offset: number, report: Report): void {
  const view = viewOf(bytes);
  const next = view.getBigUint64(8);
  if (next !== 0xffffffffffffffffn) {
    const what = `dynamic header: the unused data offset is ${next}, not 64 bits of ones`;
    report.add('info', 'VHD_HEADER_NEXT', { at: offset + 8, what, expected: '0xffffffffffffffff', found: `${next}` });
  }
  const version = view.getUint32(24);
  if (version >>> 16 === 1 && version !== 0x00010000) {
    const what = `dynamic header: version 0x${version.toString(16).padStart(8, '0')} is newer than 1.0`;
    report.add('info', 'VHD_VERSION', { at: offset + 24, what, expected: 0x00010000, found: version });
  }
  const strange = bytes.findIndex((byte, at) => byte !== 0 && ((at >= 60 && at < 64) || at >= 768));
  if (strange < 0) return;
  const what = `dynamic header: reserved bytes are not zero, the first at ${strange}`;
  report.add('info', 'VHD_HEADER_RESERVED', { at: offset + strange, what, expected: 0, found: bytes[strange]! });
}

/** A dynamic image with a parent's id is often a differencing one whose type was overwritten. */
function checkNoParent(header: DynamicHeader, offset: number, report: Report): void {
  const named = header.parentName !== '' || header.locators.length > 0;
  if (!named && isNullId(header.parentUniqueId)) return;
  const what = 'the image is dynamic, but its header names a parent, which no program reads';
  const cure = 'if it once was a differencing image, do not use it: copy it again from where it came';
  const at = offset + (isNullId(header.parentUniqueId) ? (header.parentName === '' ? LOCATORS_AT : 64) : 40);
  report.add('info', 'VHD_PARENT_UNUSED', { at, what, cure });
}

function checkBlockSize({ blockSize }: DynamicHeader, offset: number, report: Report): void {
  const what = unusualBlockSize(blockSize);
  if (what === null) return;
  report.add('info', 'VHD_BLOCK_SIZE', { at: offset + 32, what, expected: 2 ** 21, found: blockSize });
}
