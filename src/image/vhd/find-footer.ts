import { isError, type VhdvaultError } from '../../base/errors.ts';
import type { Finding } from '../../base/finding.ts';
import { equalBytes } from '../../base/hex.ts';
import { SECTOR } from '../../base/units.ts';
import type { ByteSource } from '../../io/source.ts';
import { diskTypeNumber, FOOTER_BYTES, type Footer, hasFooterCookie, isPoisoned, parseFooter } from './footer.ts';
import { formatUniqueId } from './unique-id.ts';
import { malformed, viewOf } from './where.ts';

/** A footer and how it was found. */
export interface FoundFooter {
  footer: Footer;
  /** Of the footer in the file. */
  offset: number;
  /** Data ends here: where the footer begins, or the end of a file that lost its footer. */
  limit: number;
  /** The footer came from the copy at offset 0. */
  cut: boolean;
  findings: Finding[];
}

interface Candidate {
  raw: Uint8Array;
  offset: number;
}

/**
 * Finds the footer of a file: at the end (512 bytes, then the 511 of old Virtual PC), else the copy at 0 of a dynamic or
 * differencing image. The end decides, because in a fixed disk the first sector belongs to the guest, who can write
 * anything there; likewise a copy that contradicts a footer at the end is not explained away but refused, and a damaged
 * footer at the end is read by the copy only where both are of one image.
 * @returns null when neither place has a cookie
 * @throws VHD_FOOTER_CHECKSUM, VHD_FOOTER_FIELD
 */
export async function findFooter(source: ByteSource): Promise<FoundFooter | null> {
  const end = await footerAtEnd(source);
  const copy = await footerAt(source, 0, Math.min(FOOTER_BYTES, source.size));
  if (!end) return copy ? fromCopy(source, copy, 'no footer at the end') : null;
  let footer: Footer;
  try {
    footer = parseFooter(end.raw, { path: source.path, offset: end.offset });
  } catch (error) {
    if (copy && copy.offset !== end.offset && isError(error) && !isPoisoned(end.raw)) {
      const saved = tryParse(source.path, copy);
      if (saved && saved.type !== 'fixed' && ofOneImage(end.raw, saved)) return fromCopy(source, copy, error.message);
    }
    throw error;
  }
  const findings =
    footer.type === 'fixed' ? checkFixed(source, end, footer, copy) : compareCopy(source, end, footer, copy);
  return { footer, offset: end.offset, limit: end.offset, cut: false, findings };
}

/** Where the footer of an opened file is, for reading it again: the last 512 bytes, or all of a smaller file. */
export function footerRange(fileSize: number): { offset: number; length: number } {
  const length = Math.min(FOOTER_BYTES, fileSize);
  return { offset: fileSize - length, length };
}

async function footerAtEnd(source: ByteSource): Promise<Candidate | null> {
  const whole = await footerAt(source, source.size - FOOTER_BYTES, FOOTER_BYTES);
  if (whole || source.size % SECTOR !== 511) return whole;
  return await footerAt(source, source.size - 511, 511);
}

async function footerAt(source: ByteSource, offset: number, length: number): Promise<Candidate | null> {
  if (offset < 0 || length < 511) return null;
  const raw = new Uint8Array(length);
  await source.read(offset, raw);
  return hasFooterCookie(raw) || isPoisoned(raw) ? { raw, offset } : null;
}

function fromCopy(source: ByteSource, copy: Candidate, why: string): FoundFooter | null {
  const footer = parseFooter(copy.raw, { path: source.path, offset: 0 });
  if (footer.type === 'fixed') return null;
  const finding: Finding = {
    severity: 'warning',
    code: 'VHD_FOOTER_COPY_USED',
    what: `degraded: read by the copy of the footer at byte 0 (${why})`,
    where: source.path,
    cure: 'convert the image to a new one, or copy it again from where it came',
  };
  return { footer, offset: 0, limit: source.size, cut: true, findings: [finding] };
}

/**
 * Whether a damaged footer may be the one that `saved` is a copy of: one of type and unique id still agrees. Otherwise the
 * guest of a fixed disk would decide, by a footer in its first sector, what the disk becomes when its own is damaged.
 */
function ofOneImage(damaged: Uint8Array, saved: Footer): boolean {
  const sameType = viewOf(damaged).getUint32(60) === diskTypeNumber(saved.type);
  return sameType || equalBytes(damaged.subarray(68, 84), saved.uniqueId);
}

function tryParse(path: string, candidate: Candidate): Footer | null {
  try {
    return parseFooter(candidate.raw, { path, offset: candidate.offset });
  } catch (error) {
    if (isError(error, 'VHD_FOOTER_CHECKSUM', 'VHD_FOOTER_FIELD')) return null;
    throw error;
  }
}

function checkFixed(source: ByteSource, end: Candidate, footer: Footer, copy: Candidate | null): Finding[] {
  const { path } = source;
  if (footer.currentSize > end.offset) {
    throw malformed(
      'VHD_TRUNCATED',
      { path, offset: end.offset },
      {
        at: 48,
        what: `a fixed disk of ${footer.currentSize} bytes in ${end.offset}`,
        expected: footer.currentSize,
        found: end.offset,
        hint: 'the file is truncated, or its last sector only looks like a footer; copy the image again',
      },
    );
  }
  if (footer.currentSize === end.offset) return [];
  const saved = copy && copy.offset !== end.offset ? tryParse(path, copy) : null;
  if (saved && saved.type !== 'fixed') throw contradiction(path, end, 60, saved.type, footer.type);
  return [
    {
      severity: 'info',
      code: 'VHD_SLACK',
      what: `${end.offset - footer.currentSize} bytes between the end of the disk and the footer are not part of it`,
      where: path,
      cure: '',
    },
  ];
}

function compareCopy(source: ByteSource, end: Candidate, footer: Footer, copy: Candidate | null): Finding[] {
  if (copy && equalBytes(copy.raw.subarray(0, end.raw.byteLength), end.raw)) return [];
  const { path } = source;
  const saved = copy ? tryParse(path, copy) : null;
  const cure = 'convert the image to a new one when convenient';
  if (!saved) {
    const what = 'the copy of the footer at byte 0 is missing or damaged; the footer at the end is whole';
    return [{ severity: 'warning', code: 'VHD_FOOTER_COPY_BAD', what, where: path, cure }];
  }
  if (saved.type !== footer.type) throw contradiction(path, end, 60, saved.type, footer.type);
  if (!equalBytes(saved.uniqueId, footer.uniqueId)) {
    throw contradiction(path, end, 68, formatUniqueId(saved.uniqueId), formatUniqueId(footer.uniqueId));
  }
  const fields = differences(saved, footer);
  if (fields.length === 0) return [];
  const what = `the footer and its copy differ in ${fields.join(', ')}; the footer at the end was used`;
  const benign = fields.every((name) => ['timestamp', 'savedState', 'hidden'].includes(name));
  return [
    { severity: benign ? 'info' : 'warning', code: 'VHD_FOOTERS_DIFFER', what, where: path, cure: benign ? '' : cure },
  ];
}

function differences(a: Footer, b: Footer): string[] {
  const names = Object.keys(a) as (keyof Footer)[];
  return names.filter((name) => name !== 'uniqueId' && JSON.stringify(a[name]) !== JSON.stringify(b[name]));
}

function contradiction(path: string, end: Candidate, at: 60 | 68, expected: string, found: string): VhdvaultError {
  const field = at === 60 ? 'disk type' : 'unique id';
  return malformed(
    'VHD_FOOTER_FIELD',
    { path, offset: end.offset },
    {
      at,
      what: `the footer at the end and the one at byte 0 contradict in the ${field}: ${found}, ${expected}`,
      expected,
      found,
      hint: 'the file is probably truncated and its last sector is a guest’s; copy the image again from where it came',
    },
  );
}
