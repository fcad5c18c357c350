import { MAX_SEGMENT_ENTRIES } from '../vault/block-index.ts';

/** A live segment, as its trailer and tail tell of it. */
export interface SegmentFacts {
  name: string;
  entries: number;
  packs: readonly { name: string; size: number }[];
}

/** What the index becomes: these segments go, and those that are to be written come from some of them. */
export interface MergePlan {
  /** Nothing of them is left. */
  dropped: readonly string[];
  /** Each group becomes one segment. */
  merged: readonly (readonly string[])[];
}

/** So many segments of a tier are merged (P3); a tier's are eight times as long as those of the one below. */
const TIER = 8;
const LEAST_TIER = 1024;
/** Of each one page is in memory. */
const MOST_AT_ONCE = 128;
/** Of the packs of a segment: then it is written anew without them. */
const CONDEMNED_SHARE = 1 / 4;

/** Which segments to merge, to write anew without the entries of condemned packs, and to drop. */
export function planMerges(segments: readonly SegmentFacts[], isCondemned: (pack: string) => boolean): MergePlan {
  const shares = new Map(
    segments.map((segment) => {
      const condemned = segment.packs.filter(({ name }) => isCondemned(name)).length;
      return [segment, segment.packs.length === 0 ? 1 : condemned / segment.packs.length] as const;
    }),
  );
  const shareOf = (segment: SegmentFacts): number => shares.get(segment) as number;
  const dropped = segments.filter((segment) => shareOf(segment) === 1);
  const rest = segments.filter((segment) => shareOf(segment) < 1);
  const groups = tierGroups(rest);
  const inGroup = new Set(groups.flat());
  const alone = rest.filter((segment) => !inGroup.has(segment) && shareOf(segment) >= CONDEMNED_SHARE);
  return {
    dropped: dropped.map(({ name }) => name),
    merged: [...groups, ...alone.map((segment) => [segment])].map((group) => group.map(({ name }) => name)),
  };
}

/** Segments that are longer than half of the longest stay: two of them would not fit into one. */
function tierGroups(segments: readonly SegmentFacts[]): SegmentFacts[][] {
  const short = segments.filter(({ entries }) => entries <= MAX_SEGMENT_ENTRIES / 2);
  const tiers = Map.groupBy(short, ({ entries }) => tierOf(entries));
  return [...tiers.values()].filter((tier) => tier.length >= TIER).flatMap(cut);
}

function tierOf(entries: number): number {
  return Math.floor(Math.log2(Math.max(1, entries / LEAST_TIER)) / Math.log2(TIER));
}

/** Into groups that fit into one segment and into memory. */
function cut(tier: readonly SegmentFacts[]): SegmentFacts[][] {
  const groups: SegmentFacts[][] = [];
  let open: SegmentFacts[] = [];
  let entries = 0;
  for (const segment of tier) {
    if (open.length === MOST_AT_ONCE || entries + segment.entries > MAX_SEGMENT_ENTRIES) {
      groups.push(open);
      [open, entries] = [[], 0];
    }
    open.push(segment);
    entries += segment.entries;
  }
  return [...groups, open].filter((group) => group.length > 1);
}

/** What the segment that takes the place of others is counted with, so that sums over all segments stay right. */
export function countsOf(
  counted: readonly { packs: number; bytes: number }[],
  gone: readonly { size: number }[],
): { packs: number; bytes: number } {
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
  return {
    packs: Math.max(0, sum(counted.map(({ packs }) => packs)) - gone.length),
    bytes: Math.max(0, sum(counted.map(({ bytes }) => bytes)) - sum(gone.map(({ size }) => size))),
  };
}
