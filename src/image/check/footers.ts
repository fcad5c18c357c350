import { isError } from '../../base/errors.ts';
import { SECTOR } from '../../base/units.ts';
import type { ByteSource } from '../../io/source.ts';
import { type FoundFooter, findFooter } from '../vhd/find-footer.ts';
import { FOOTER_BYTES, type Footer, hasFooterCookie, isPoisoned, parseFooter } from '../vhd/footer.ts';

/** A footer as it is in the file. */
export interface RawFooter {
  /** 511 or 512. */
  raw: Uint8Array;
  offset: number;
  /** Null when it is damaged. */
  footer: Footer | null;
}

/** Both footers of a file, and which of them opening goes by. */
export interface Footers {
  end: RawFooter | null;
  /** At byte 0; in a fixed disk that is the guest's. */
  copy: RawFooter | null;
  /** What decides; where none is whole, the one that would. */
  lead: RawFooter | null;
  /** Null when opening refuses the image for its footers. */
  found: FoundFooter | null;
}

export async function readFooters(source: ByteSource): Promise<Footers> {
  const end =
    (await footerAt(source, source.size - FOOTER_BYTES, FOOTER_BYTES)) ??
    (source.size % SECTOR === 511 ? await footerAt(source, source.size - 511, 511) : null);
  const first = await footerAt(source, 0, Math.min(FOOTER_BYTES, source.size));
  const copy = first && first.offset !== end?.offset ? first : null;
  const found = await findFooter(source).catch((error: unknown) => {
    if (isError(error) && error.code.startsWith('VHD_')) return null;
    throw error;
  });
  const decides = found?.offset === 0 ? (copy ?? end) : end;
  return { end, copy, lead: found ? decides : (end ?? copy), found };
}

async function footerAt(source: ByteSource, offset: number, length: number): Promise<RawFooter | null> {
  if (offset < 0 || length < 511) return null;
  const raw = new Uint8Array(length);
  await source.read(offset, raw);
  if (!hasFooterCookie(raw) && !isPoisoned(raw)) return null;
  return { raw, offset, footer: parsed(raw, source.path, offset) };
}

function parsed(raw: Uint8Array, path: string, offset: number): Footer | null {
  try {
    return parseFooter(raw, { path, offset });
  } catch (error) {
    if (isError(error)) return null;
    throw error;
  }
}
