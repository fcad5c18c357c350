import type { Cancellable } from '../../base/abort.ts';
import { MIB, roundUp, SECTOR } from '../../base/units.ts';
import type { ByteSource } from '../../io/source.ts';
import type { DynamicHeader } from '../vhd/dynamic-header.ts';
import type { FoundFooter } from '../vhd/find-footer.ts';
import { FOOTER_BYTES, type Footer } from '../vhd/footer.ts';
import { takenRanges } from '../vhd/layer.ts';
import type { FoundBatmap } from '../vhd/tap-batmap.ts';
import { checkBatmap, checkBatmapHeader } from './check-batmap.ts';
import { checkBitmaps } from './check-bitmaps.ts';
import { checkEntries, type StoredBlocks } from './check-entries.ts';
import { checkFooter } from './check-footer.ts';
import { checkHeader } from './check-header.ts';
import { checkLocators } from './check-locators.ts';
import { checkSpace, reportSlack } from './check-space.ts';
import { checkTablePlace, type Table } from './check-table.ts';
import { compareFooters, shortFooter } from './compare-footers.ts';
import { type Footers, readFooters } from './footers.ts';
import type { Report } from './report.ts';
import { structuresOf } from './used-ranges.ts';

export interface FileCheck extends Cancellable {
  /** Milliseconds since 1970. */
  now: number;
  report: Report;
}

/** Checks all structures of one VHD file, and goes on after each trouble as far as what was found allows. */
export async function checkFile(source: ByteSource, check: FileCheck): Promise<void> {
  const footers = await readFooters(source);
  const { lead } = footers;
  if (!lead) return;
  const { report, now } = check;
  compareFooters(footers, report);
  const { value: footer, guessed } = checkFooter(lead, now, report);
  if (!footer || guessed.has(60)) return;
  const place = placeOf(source, footers, footer);
  if (footer.type === 'fixed') {
    if (!guessed.has(48)) await checkFixed(source, footers, place, check);
    return;
  }
  if (guessed.has(16)) return;
  const faulty = await checkHeader(source, { footer, footerOffset: lead.offset, limit: place.limit }, report);
  if (!faulty?.value) return;
  const header = faulty.value;
  if (footer.type === 'differencing') await checkLocators(source, header, footer.dataOffset!, report);
  if (guessed.has(48) || faulty.guessed.has(16) || faulty.guessed.has(32)) return;
  await checkBlocks(source, { header, place }, check);
}

/** Where opening would say the footer is; of damaged ones, the same by guess. */
function placeOf(source: ByteSource, { found, lead, end }: Footers, footer: Footer): FoundFooter {
  if (found) return found;
  const cut = end === null;
  return { footer, offset: lead!.offset, limit: cut ? source.size : end.offset, cut, findings: [] };
}

async function checkFixed(source: ByteSource, { end }: Footers, place: FoundFooter, check: FileCheck): Promise<void> {
  if (end && end.raw.byteLength < FOOTER_BYTES) shortFooter(end, check.report);
  const slack = { start: place.footer.currentSize, end: place.limit };
  if (slack.end <= slack.start) return;
  await reportSlack(source, slack, { left: 64 * MIB, signal: check.signal }, check.report);
}

async function checkBlocks(
  source: ByteSource,
  image: { header: DynamicHeader; place: FoundFooter },
  check: FileCheck,
): Promise<void> {
  const { header, place } = image;
  const { footer, limit } = place;
  const { report, signal } = check;
  const table = await checkTablePlace(source, place, header, report);
  const blocks = table ? storedBlocks(table, image, report) : null;
  let batmap: FoundBatmap | null = null;
  if (blocks) {
    batmap = await checkBatmapHeader(source, { footer, header, blocks, limit }, report);
    const full = await checkBitmaps(source, blocks, { layered: footer.type === 'differencing', report, signal });
    if (batmap) await checkBatmap(source, batmap, { footer, header, blocks, limit, full }, report);
    checkAlignment(blocks, report);
  }
  const structures = structuresOf({ header, headerOffset: footer.dataOffset!, batmap, limit });
  const space = { source, structures, header, blocks, limit, lastExtra: table?.lastExtra ?? 0, signal };
  await checkSpace(space, report);
}

function storedBlocks(
  table: Table,
  { header, place }: { header: DynamicHeader; place: FoundFooter },
  report: Report,
): StoredBlocks {
  const { footer, limit, cut } = place;
  const taken = takenRanges(footer, header);
  const { blockSize } = header;
  const bounds = { tableOffset: table.offset, blockSize, currentSize: footer.currentSize, limit, cut, taken };
  return checkEntries(table.bat, bounds, report);
}

/** Of data that does not begin on a page, every write to a page of the guest is two on the host's disk. */
function checkAlignment({ bat, order, bitmapBytes }: StoredBlocks, report: Report): void {
  const isOff = (block: number): boolean => (bat[block]! * SECTOR + bitmapBytes) % PAGE !== 0;
  const first = order.find(isOff);
  if (first === undefined) return;
  const count = order.reduce((sum, block) => sum + Number(isOff(block)), 0);
  const what = `the data of ${count} of ${order.length} blocks does not begin on a page of ${PAGE} bytes: slower on modern disks`;
  const at = bat[first]! * SECTOR + bitmapBytes;
  const cure = 'converting the image aligns them';
  report.add('info', 'VHD_ALIGNMENT', { at, what, expected: roundUp(at, PAGE), found: at, cure });
}

const PAGE = 4096;
