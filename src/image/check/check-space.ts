import { MIB, roundUp, SECTOR } from '../../base/units.ts';
import type { ByteSource } from '../../io/source.ts';
import type { TakenRange } from '../vhd/bat.ts';
import type { DynamicHeader } from '../vhd/dynamic-header.ts';
import type { StoredBlocks } from './check-entries.ts';
import { type Budget, hasData } from './nonzero.ts';
import type { Report } from './report.ts';
import { usedRanges } from './used-ranges.ts';

/** Writers align to pages: what is less than one is nobody's loss. Windows ends its files on one, too. */
export const MOST_SLACK: number = 8 * SECTOR;
/** So much behind the data is cut off by a repair, which keeps a copy of it. */
export const MOST_CUT: number = 64 * MIB;
const MOST_READ: number = 64 * MIB;

export interface Space {
  source: ByteSource;
  structures: readonly TakenRange[];
  header: DynamicHeader;
  /** Null where the table could not be read. */
  blocks: StoredBlocks | null;
  /** Where blocks must end. */
  limit: number;
  /** Of entries beyond the disk's blocks. */
  lastExtra: number;
  signal?: AbortSignal | undefined;
}

/** Tells what of the file belongs to nothing, and structures that lie over each other. */
export async function checkSpace(space: Space, report: Report): Promise<void> {
  checkOverlaps(space.structures, report);
  if (!space.blocks) return;
  const budget = { left: MOST_READ, signal: space.signal };
  const gaps: { start: number; end: number }[] = [];
  let bytes = 0;
  let count = 0;
  let end = 0;
  for (const range of usedRanges(space)) {
    const gap = { start: end, end: range.start };
    if (gap.end - gap.start >= MOST_SLACK) {
      count++;
      bytes += gap.end - gap.start;
      if (gaps.length < 1000) gaps.push(gap);
    }
    end = Math.max(end, range.end);
  }
  if (count > 0) await reportGaps(space.source, { gaps, count, bytes }, budget, report);
  const slack = { start: roundUp(end, SECTOR), end: space.limit };
  if (slack.end - slack.start > MOST_SLACK) await reportSlack(space.source, slack, budget, report);
}

/** Blocks over structures are the table's trouble, and found there. */
function checkOverlaps(structures: readonly TakenRange[], report: Report): void {
  const sorted = [...structures].sort((a, b) => a.start - b.start);
  for (const [i, range] of sorted.entries()) {
    const next = sorted[i + 1];
    if (!next || next.start >= range.end) continue;
    const what = `${next.name} at byte ${next.start} overlaps ${range.name}, which ends at ${range.end}`;
    const cure = 'convert the image to a new one, and compare its content with what is expected';
    report.add('warning', 'VHD_OVERLAP', { at: next.start, what, expected: range.end, found: next.start, cure });
  }
}

interface Gaps {
  gaps: readonly { start: number; end: number }[];
  count: number;
  bytes: number;
}

async function reportGaps(
  source: ByteSource,
  { gaps, count, bytes }: Gaps,
  budget: Budget,
  report: Report,
): Promise<void> {
  let state: 'zero' | 'data' | 'unknown' = 'zero';
  for (const gap of gaps) {
    state = await hasData(source, gap, budget);
    if (state !== 'zero') break;
  }
  // As a table leaves that became too small, and tools that place data on pages: no rule is broken, nothing is lost.
  if (state === 'zero') return;
  const many = count === 1 ? `a gap of ${bytes} bytes` : `${count} gaps of ${bytes} bytes in all`;
  const what = `${many} between the parts of the image, ${CONTENT[state]}, which belong to nothing`;
  report.add('info', 'VHD_GAPS', { at: gaps[0]!.start, what, found: bytes, cure: 'converting the image frees them' });
}

const CONTENT = { zero: 'all zeros', data: 'not all zeros', unknown: 'too many to read all' } as const;

export async function reportSlack(
  source: ByteSource,
  slack: { start: number; end: number },
  budget: Budget,
  report: Report,
): Promise<void> {
  const length = slack.end - slack.start;
  const state = await hasData(source, slack, budget);
  const left = state === 'data' ? ': an interrupted write may have left them' : '';
  const what = `${length} bytes between the end of the data and the footer, ${CONTENT[state]}, belong to nothing${left}`;
  const cure = length <= MOST_CUT ? 'vhdvault vhd repair cuts them off' : 'convert the image to a new one';
  report.add('info', 'VHD_SLACK', { at: slack.start, what, expected: 0, found: length, cure });
}
