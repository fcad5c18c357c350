import type { Finding } from '../base/finding.ts';

/** Bytes of a disk of a point that a finding takes away. */
export interface DiskRange {
  /** As in `points`. */
  point: string;
  /** Name of the disk. */
  disk: string;
  /** Of the virtual disk, in bytes. */
  offset: number;
  /** In bytes. */
  length: number;
}

/** Something noticed in a vault, with what it takes away. */
export type PointFinding = Finding & {
  /** The points that it hits, as `item@point`. */
  points: string[];
  /** Of these, the ones that are forgotten: gc gives them up. */
  forgotten: string[];
  /** What of their disks cannot be read for it; at most 1,000 ranges. */
  ranges: DiskRange[];
  /** How many ranges there are besides. */
  moreRanges: number;
};

/** What a finding says. */
export type Words = Pick<Finding, 'code' | 'what' | 'where' | 'cure'>;

const MOST_RANGES = 1000;
/** Of all findings together: a vault that lost most of its packs must not exhaust the memory with what it lost. */
const MOST_IN_ALL = 100_000;

/** Gathers findings. Points come one after the other, each disk from its beginning to its end. */
export class Findings {
  readonly all: PointFinding[] = [];
  readonly #last = new WeakMap<PointFinding, DiskRange>();
  #room = MOST_IN_ALL;

  get hasDamage(): boolean {
    return this.all.some(({ severity }) => severity === 'damage');
  }

  tell(severity: Finding['severity'], words: Words, points: string[] = []): PointFinding {
    const finding: PointFinding = { severity, ...words, points, forgotten: [], ranges: [], moreRanges: 0 };
    this.all.push(finding);
    return finding;
  }

  /** Neighbours are joined. */
  hit(finding: PointFinding, { point, disk, offset, length }: DiskRange): void {
    if (finding.points.at(-1) !== point) finding.points.push(point);
    const last = this.#last.get(finding);
    if (last && last.point === point && last.disk === disk && last.offset + last.length === offset) {
      last.length += length;
      return;
    }
    const range: DiskRange = { point, disk, offset, length };
    this.#last.set(finding, range);
    if (finding.ranges.length < MOST_RANGES && this.#room > 0) {
      this.#room--;
      finding.ranges.push(range);
    } else finding.moreRanges++;
  }
}
