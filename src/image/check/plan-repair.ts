import { roundUp, SECTOR } from '../../base/units.ts';
import { FOOTER_BYTES } from '../vhd/footer.ts';
import { MOST_CUT, MOST_SLACK } from './check-space.ts';
import { differences } from './compare-footers.ts';
import type { Footers, RawFooter } from './footers.ts';

/** What was read of an image that opens, for planning its repair. */
export interface RepairState {
  fileSize: number;
  footers: Footers;
  /** All that is in use ends here; a multiple of 512. */
  dataEnd: number;
  /** No structure lies where the copy of the footer belongs. */
  copyFree: boolean;
}

/** One step, after which the image opens at least as well as before. */
export interface RepairStep {
  /** As a whole sentence. */
  what: string;
  offset: number;
  length: number;
  /** Null: the file is cut at `offset`. */
  bytes: Uint8Array | null;
  /** The codes of the findings that are gone after it. */
  cures: readonly string[];
}

/**
 * Plans what can be mended without guessing. A footer goes to its new place before anything is cut off behind it, and never
 * over the one that counts.
 */
export function planRepair(state: RepairState): RepairStep[] {
  const { footers, fileSize } = state;
  const { found, end, copy } = footers;
  if (!found) return [];
  if (found.cut) return endFooter(state, whole(copy!));
  if (!end) return [];
  const steps = moved(state, end);
  if (steps.length === 0 && end.raw.byteLength < FOOTER_BYTES) {
    const what = `The footer of 511 bytes gets its last byte, at byte ${fileSize}.`;
    steps.push({ what, offset: fileSize, length: 1, bytes: new Uint8Array(1), cures: ['VHD_FOOTER_SHORT'] });
  }
  return found.footer.type === 'fixed' ? steps : [...steps, ...renewedCopy(state, end)];
}

/** The copy at 0 is whole, what should be its original is missing or damaged. */
function endFooter({ fileSize, dataEnd }: RepairState, footer: Uint8Array): RepairStep[] {
  const offset = footerPlace(fileSize, dataEnd);
  const what = `The footer is written at byte ${offset}, from its copy at byte 0.`;
  const write = { what, offset, length: footer.byteLength, bytes: footer, cures: ['VHD_FOOTER_COPY_USED'] };
  return [write, ...cutBehind(offset + FOOTER_BYTES, fileSize)];
}

/**
 * Where it was, if that is near the end of the data; else right behind the data. If what lies there is more than is ever cut
 * off, behind that: so nothing is lost.
 */
function footerPlace(fileSize: number, dataEnd: number): number {
  const last = fileSize - FOOTER_BYTES;
  if (fileSize % SECTOR === 0 && last >= dataEnd && last - dataEnd <= MOST_SLACK) return last;
  return fileSize - dataEnd <= MOST_CUT ? dataEnd : roundUp(fileSize, SECTOR);
}

function moved({ fileSize, footers, dataEnd }: RepairState, end: RawFooter): RepairStep[] {
  const slack = end.offset - dataEnd;
  const legal = footers.found!.footer.type === 'fixed' ? 0 : MOST_SLACK;
  if (slack <= legal || slack < FOOTER_BYTES || slack > MOST_CUT) return [];
  const what = `The footer is written at byte ${dataEnd}, right behind the data.`;
  const cures = ['VHD_SLACK', 'VHD_FOOTER_SHORT'];
  const write = { what, offset: dataEnd, length: FOOTER_BYTES, bytes: whole(end), cures };
  return [write, ...cutBehind(dataEnd + FOOTER_BYTES, fileSize)];
}

function cutBehind(offset: number, fileSize: number): RepairStep[] {
  const length = fileSize - offset;
  if (length <= 0) return [];
  const what = `The ${length} bytes behind the footer, which belong to nothing, are cut off.`;
  return [{ what, offset, length, bytes: null, cures: ['VHD_SLACK'] }];
}

function renewedCopy({ footers, copyFree }: RepairState, end: RawFooter): RepairStep[] {
  const { copy, found } = footers;
  if (!copyFree) return [];
  const fields = copy?.footer ? differences(copy.footer, found!.footer).map(({ name }) => name) : [];
  // Old XenServers hide an image in the copy only, and look there for it.
  if (copy?.footer && fields.every((name) => name === 'hidden')) return [];
  const why = copy?.footer ? `differs in ${fields.join(', ')}` : copy ? 'is damaged' : 'is missing';
  const what = `The copy of the footer at byte 0, which ${why}, is written from the footer at the end.`;
  const cures = [copy?.footer ? 'VHD_FOOTERS_DIFFER' : 'VHD_FOOTER_COPY_BAD'];
  return [{ what, offset: 0, length: FOOTER_BYTES, bytes: whole(end), cures }];
}

function whole({ raw }: RawFooter): Uint8Array {
  const bytes = new Uint8Array(FOOTER_BYTES);
  bytes.set(raw);
  return bytes;
}
