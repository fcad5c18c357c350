import { SECTOR } from '../../base/units.ts';
import { MOST_DYNAMIC } from '../vhd/block-layout.ts';
import { checksum } from '../vhd/checksum.ts';
import { FOOTER_BYTES, type Footer, fromTimestamp, parseFooter } from '../vhd/footer.ts';
import { geometryBytes, geometryOf } from '../vhd/geometry.ts';
import { hasSizeQuirk } from '../vhd/oddities.ts';
import { isNullId } from '../vhd/unique-id.ts';
import { setAscii, viewOf } from '../vhd/where.ts';
import { everyFault, type Faulty } from './every-fault.ts';
import type { RawFooter } from './footers.ts';
import type { Report } from './report.ts';

/** Clocks and time zones differ. */
const DAY = 86_400_000;
const RENEW = 'convert the image to a new one (vhdvault vhd convert) if another program refuses it';

/** Checks every field of the footer that decides. */
export function checkFooter({ raw, offset }: RawFooter, now: number, report: Report): Faulty<Footer> {
  const bytes = new Uint8Array(FOOTER_BYTES);
  bytes.set(raw);
  const faulty = everyFault(bytes, offset, (copy) => parseFooter(copy, { path: report.path, offset }), mend);
  for (const fault of faulty.faults) report.refused(fault);
  const { value, guessed } = faulty;
  if (!value) return faulty;
  checkMarks(bytes, value, offset, report);
  checkTime(value, offset, now, report);
  if (!guessed.has(48)) checkSizes(value, offset, report);
  return faulty;
}

function mend(copy: Uint8Array, field: number): boolean {
  const view = viewOf(copy);
  const unused = view.getBigUint64(16) === 0xffffffffffffffffn;
  const values: Readonly<Record<number, () => void>> = {
    0: () => setAscii(view, 0, 'conectix', 8),
    12: () => view.setUint32(12, 0x00010000),
    16: () => view.setBigUint64(16, 0xffffffffffffffffn),
    40: () => view.setBigUint64(40, 0n),
    48: () => view.setBigUint64(48, BigInt(SECTOR)),
    60: () => view.setUint32(60, unused ? 2 : 3),
    64: () => {},
  };
  values[field]?.();
  view.setUint32(64, checksum(copy, 64));
  return field in values;
}

function checkMarks(bytes: Uint8Array, footer: Footer, offset: number, report: Report): void {
  const view = viewOf(bytes);
  const note = (at: number, code: string, what: string, facts: { expected?: number; found?: number } = {}): void =>
    report.add('info', code, { at: offset + at, what, ...facts });
  const { features } = footer;
  const rest = (features & ~3) >>> 0;
  if (!(features & 2) || rest !== 0) {
    const what = `footer: features ${hex(features)}, in which bit 1 shall be set and all but bits 0 and 1 clear`;
    report.add('info', 'VHD_FEATURES', { at: offset + 8, what, expected: 2, found: features, cure: RENEW });
  }
  if (features & 1) note(8, 'VHD_TEMPORARY', 'the disk is marked as temporary: its owner may delete it when it stops');
  const version = view.getUint32(12);
  if (version >>> 16 === 1 && version !== 0x00010000)
    note(12, 'VHD_VERSION', `footer: version ${hex(version)} is newer than 1.0`, {
      expected: 0x00010000,
      found: version,
    });
  if (footer.type === 'fixed' && footer.dataOffset !== null) {
    const what = `footer: data offset ${footer.dataOffset} of a fixed disk; Windows asks for 64 bits of ones`;
    report.add('info', 'VHD_DATA_OFFSET', { at: offset + 16, what, found: footer.dataOffset, cure: RENEW });
  }
  if (isNullId(footer.uniqueId)) {
    const what = 'the unique id is all zero: it cannot be told from other such images, nor be a parent';
    report.add('warning', 'VHD_NULL_ID', { at: offset + 68, what, cure: 'convert the image to a new one' });
  }
  checkFlags(bytes, offset, report);
}

function checkFlags(bytes: Uint8Array, offset: number, report: Report): void {
  const [saved, hidden] = [bytes[84]!, bytes[85]!];
  if (saved !== 0) {
    const what = `the machine was suspended${saved === 1 ? '' : ` (saved state ${saved})`}: its disk is not quiescent`;
    const cure = 'resume the machine and shut it down; do not merge or resize the image before';
    report.add('warning', 'VHD_SAVED_STATE', { at: offset + 84, what, expected: 0, found: saved, cure });
  }
  if (hidden !== 0) {
    const what = 'hidden (byte 85), as XenServer marks images that only serve as parents';
    report.add('info', 'VHD_HIDDEN', { at: offset + 85, what, expected: 0, found: hidden });
  }
  const strange = bytes.findIndex((byte, at) => at >= 86 && byte !== 0);
  if (strange < 0) return;
  const what = `footer: reserved bytes are not zero, the first at ${strange}`;
  report.add('info', 'VHD_FOOTER_RESERVED', { at: offset + strange, what, expected: 0, found: bytes[strange]! });
}

function checkTime({ timestamp }: Footer, offset: number, now: number, report: Report): void {
  const time = fromTimestamp(timestamp);
  if (time <= now + DAY) return;
  const found = new Date(time).toISOString();
  const what = `the time stamp ${found} is in the future; some programs write seconds since 1970, 30 years too many`;
  report.add('info', 'VHD_TIMESTAMP', { at: offset + 24, what, expected: new Date(now).toISOString(), found });
}

function checkSizes(footer: Footer, offset: number, report: Report): void {
  const { currentSize, originalSize, type } = footer;
  if (originalSize === 0 || originalSize % SECTOR !== 0) {
    const what = `footer: original size ${originalSize} is not a positive multiple of 512`;
    report.add('info', 'VHD_ORIGINAL_SIZE', { at: offset + 40, what, found: originalSize });
  }
  if (type !== 'fixed' && currentSize > MOST_DYNAMIC) {
    const what = `a ${type} disk of ${currentSize} bytes is over 2040 GiB, the limit of Windows, qemu and Azure`;
    const cure = 'convert it to a fixed or raw one: vhdvault vhd convert --format fixed';
    report.add('warning', 'VHD_TOO_LARGE', { at: offset + 48, what, expected: MOST_DYNAMIC, found: currentSize, cure });
  }
  checkGeometry(footer, offset, report);
  if (!hasSizeQuirk(footer)) return;
  const covered = geometryBytes(footer.geometry);
  const creator = JSON.stringify(footer.creatorApplication);
  const what = `creator ${creator}: qemu takes the ${covered} bytes of the geometry for the size of the disk, which is ${currentSize}`;
  const cure = 'with qemu-img, use the option force_size_calc=current_size on this image';
  report.add('info', 'VHD_SIZE_QUIRK', { at: offset + 56, what, expected: currentSize, found: covered, cure });
}

/** Of the greatest geometry everybody knows that it says nothing; others are what old guests, and qemu, go by. */
function checkGeometry({ geometry, currentSize }: Footer, offset: number, report: Report): void {
  const { cylinders, heads, sectorsPerTrack } = geometry;
  const covered = geometryBytes(geometry);
  if (covered === currentSize || (cylinders === 65535 && heads === 16 && sectorsPerTrack === 255)) return;
  const own = geometryOf(currentSize);
  const [expected, found] = [own, geometry].map((one) => `${one.cylinders}/${one.heads}/${one.sectorsPerTrack}`);
  if (expected === found) return;
  const what = `the geometry ${found} covers ${covered} bytes of ${currentSize}; by the specification it is ${expected}`;
  const larger = covered > currentSize;
  const cure = larger
    ? 'programs that go by the geometry read beyond the end of the disk: convert the image to a new one'
    : 'none is needed unless an old guest does not boot: then convert the image to a new one';
  report.add(larger ? 'warning' : 'info', 'VHD_GEOMETRY', {
    at: offset + 56,
    what,
    expected: expected!,
    found: found!,
    cure,
  });
}

function hex(n: number): string {
  return `0x${n.toString(16).padStart(8, '0')}`;
}
