import { isError } from '../../base/errors.ts';
import { equalBytes } from '../../base/hex.ts';
import type { FoundFooter } from '../vhd/find-footer.ts';
import { FOOTER_BYTES, type Footer, fromTimestamp, parseFooter } from '../vhd/footer.ts';
import type { Footers, RawFooter } from './footers.ts';
import type { Fact, Report } from './report.ts';

const MEND = 'vhdvault vhd repair makes both the same';

/** How the two footers of a dynamic or differencing image agree, and which of them is missing or damaged. */
export function compareFooters({ end, copy, found }: Footers, report: Report): void {
  const told = found ? comparison(found, end, copy, report) : irreplaceable(end, copy, report.path);
  if (told) report.add(told.severity, told.code, told);
}

type Told = Fact & { severity: 'info' | 'warning'; code: string };

function comparison(found: FoundFooter, end: RawFooter | null, copy: RawFooter | null, report: Report): Told | null {
  if (found.cut) return copyUsed(end, report.path);
  return end && found.footer.type !== 'fixed' ? compared(end, copy, report) : null;
}

/** Why the copy does not stand in for a damaged footer. */
function irreplaceable(end: RawFooter | null, copy: RawFooter | null, path: string): Told | null {
  if (!end || end.footer) return null;
  const { what } = copy ? faultOf(copy, path) : { what: 'there is none' };
  const cure = 'copy the image again from where it came';
  const told = `no copy of the footer at byte 0 can replace the one at the end (${what})`;
  return { severity: 'info', code: 'VHD_FOOTER_COPY_BAD', at: 0, what: told, cure };
}

function copyUsed(end: RawFooter | null, path: string): Told {
  const fault = end ? faultOf(end, path) : { what: 'no footer at the end' };
  const what = `degraded: read by the copy of the footer at byte 0 (${fault.what})`;
  const cure = 'vhdvault vhd repair writes a footer at the end of the data; until then most programs refuse the image';
  return { severity: 'warning', code: 'VHD_FOOTER_COPY_USED', ...fault, what, cure };
}

function compared(end: RawFooter, copy: RawFooter | null, report: Report): Told | null {
  if (end.raw.byteLength < FOOTER_BYTES) shortFooter(end, report);
  const bad = { severity: 'warning', code: 'VHD_FOOTER_COPY_BAD', cure: MEND } as const;
  if (!copy) {
    const what = 'the copy of the footer at byte 0 is missing; the footer at the end is whole';
    return { ...bad, at: 0, what, expected: 'conectix' };
  }
  if (!copy.footer) {
    const { what, ...fault } = faultOf(copy, report.path);
    return {
      ...bad,
      ...fault,
      what: `the copy of the footer at byte 0 is damaged (${what}); the footer at the end is whole`,
    };
  }
  if (equalBytes(copy.raw.subarray(0, end.raw.byteLength), end.raw)) return null;
  return difference(copy.raw, copy.footer, end.raw, end.footer!);
}

export function shortFooter(end: RawFooter, report: Report): void {
  const what = 'the footer has 511 bytes, as Virtual PC before 2004 wrote it; most programs do not find such a footer';
  const cure = 'vhdvault vhd repair adds the missing byte';
  const facts = { at: end.offset, what, expected: FOOTER_BYTES, found: end.raw.byteLength, cure };
  report.add('info', 'VHD_FOOTER_SHORT', facts);
}

function faultOf({ raw, offset }: RawFooter, path: string): { at?: number; what: string } {
  try {
    parseFooter(raw, { path, offset });
    return { what: 'not of this image' };
  } catch (error) {
    if (!isError(error)) throw error;
    const at = Number(error.details.offset);
    return { at, what: error.message.replace(`${path}: `, '').replace(` (at byte ${at})`, '') };
  }
}

/** Fields that change while an image is in use, so that an interruption leaves them different: nothing depends on them. */
const BENIGN: readonly (keyof Footer)[] = ['timestamp', 'savedState', 'hidden'];

function difference(copyRaw: Uint8Array, copy: Footer, endRaw: Uint8Array, end: Footer): Told {
  const code = 'VHD_FOOTERS_DIFFER';
  const fields = differences(copy, end);
  const [first] = fields;
  if (!first) {
    const at = copyRaw.findIndex((byte, i) => byte !== endRaw[i]);
    const what = `the copy of the footer at byte 0 differs from the one at the end in bytes of no meaning, the first at ${at}`;
    return { severity: 'info', code, at, what };
  }
  const benign = fields.every(({ name }) => BENIGN.includes(name));
  const list = fields.map(({ name, found, expected }) => `${name} ${found} (at the end ${expected})`).join(', ');
  const what = `the copy of the footer at byte 0 differs from the one at the end, which counts, in ${list}`;
  const { expected, found } = first;
  const facts = { at: OFFSETS[first.name], what, expected, found, cure: benign ? '' : MEND };
  return { severity: benign ? 'info' : 'warning', code, ...facts };
}

/** Fields in which a copy differs from the footer at the end. */
export function differences(
  copy: Footer,
  end: Footer,
): { name: keyof Footer; found: string | number; expected: string | number }[] {
  return (Object.keys(OFFSETS) as (keyof Footer)[])
    .map((name) => ({ name, found: told(copy, name), expected: told(end, name) }))
    .filter(({ found, expected }) => found !== expected);
}

function told(footer: Footer, name: keyof Footer): string | number {
  const value = footer[name];
  if (name === 'timestamp') return new Date(fromTimestamp(footer.timestamp)).toISOString();
  return typeof value === 'number' ? value : JSON.stringify(value);
}

const OFFSETS: Readonly<Record<keyof Footer, number>> = {
  features: 8,
  dataOffset: 16,
  timestamp: 24,
  creatorApplication: 28,
  creatorVersion: 32,
  creatorHostOS: 36,
  originalSize: 40,
  currentSize: 48,
  geometry: 56,
  type: 60,
  uniqueId: 68,
  savedState: 84,
  hidden: 85,
};
