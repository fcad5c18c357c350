import type { Finding } from '../base/finding.ts';
import { type Look, paint } from './look.ts';
import { oneLine } from './printable.ts';
import { countText, sizeText } from './quantity.ts';
import { shortPoint } from './short-name.ts';

/** Findings of an image have no points; those of a vault name the points that they touch, and where on their disks. */
export type AnyFinding = Finding & {
  points?: readonly string[];
  forgotten?: readonly string[];
  ranges?: readonly Range[];
  moreRanges?: number;
};

interface Range {
  point: string;
  disk: string;
  offset: number;
  length: number;
}

const SEVERITIES = [
  { severity: 'damage', style: 'red', title: 'damage' },
  { severity: 'warning', style: 'yellow', title: 'warnings' },
  { severity: 'info', style: 'cyan', title: 'remarks' },
] as const;

const MOST_POINTS = 6;
const MOST_RANGES = 3;

/** Findings, the worst first, those of one severity together, each with the points it touches and its cure. */
export function findingLines(look: Look, findings: readonly AnyFinding[]): string[] {
  return SEVERITIES.flatMap(({ severity, style, title }) => {
    const group = findings.filter((finding) => finding.severity === severity);
    if (group.length === 0) return [];
    return [paint(look, style, `${title} (${group.length})`), ...group.flatMap(oneFinding)];
  });
}

function oneFinding(finding: AnyFinding): string[] {
  const lines = [`  ${oneLine(finding.what)} [${finding.code}]`];
  if (finding.where !== '') lines.push(`    where:  ${oneLine(finding.where)}`);
  if (finding.offset !== undefined) lines.push(`    at:     ${oneLine(placeOf(finding))}`);
  if (finding.points && finding.points.length > 0)
    lines.push(`    points: ${pointList(finding.points, finding.forgotten)}`);
  if (finding.ranges && finding.ranges.length > 0) lines.push(`    lost:   ${rangeList(finding)}`);
  if (finding.cure !== '') lines.push(`    cure:   ${oneLine(finding.cure)}`);
  return lines;
}

function placeOf({ offset, found, expected }: AnyFinding): string {
  const values = [
    found === undefined ? '' : `, found ${found}`,
    expected === undefined ? '' : `, expected ${expected}`,
  ];
  return `byte ${offset}${values.join('')}`;
}

function pointList(points: readonly string[], forgotten: readonly string[] = []): string {
  const gone = new Set(forgotten);
  const named = points
    .slice(0, MOST_POINTS)
    .map((point) => `${shortReference(point)}${gone.has(point) ? ' (forgotten)' : ''}`);
  const more = points.length - named.length;
  return more > 0 ? `${named.join(', ')} and ${countText(more, 'more', 'more')}` : named.join(', ');
}

function rangeList({ ranges = [], moreRanges = 0 }: AnyFinding): string {
  const named = ranges.slice(0, MOST_RANGES).map(({ point, disk, offset, length }) => {
    return `${sizeText(length)} at byte ${offset} of ${oneLine(disk)} in ${shortReference(point)}`;
  });
  const more = ranges.length - named.length + moreRanges;
  return more > 0 ? `${named.join(', ')} and ${countText(more, 'more range')} (--json)` : named.join(', ');
}

/** Both `p…` and `item@p…` occur. */
function shortReference(point: string): string {
  const at = point.lastIndexOf('@') + 1;
  return point.slice(0, at) + shortPoint(point.slice(at));
}
