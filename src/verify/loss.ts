import { toHex } from '../base/hex.ts';
import type { BlockLocation } from '../vault/block-index.ts';
import { packPath } from '../vault/block-writer.ts';
import { covers, type Frames } from '../vault/check-pack.ts';
import type { Trouble } from '../vault/trouble.ts';
import { HEAL, REBUILD_OR_HEAL, REPAIR } from './cures.ts';
import type { Findings, PointFinding } from './findings.ts';
import type { PackTrouble } from './pack-troubles.ts';
import type { Cause, Hit } from './walk-point.ts';

/** Packs that have a finding of their own; if more are damaged, the others share one. */
const MOST_PACKS = 1000;

/** Which frames of which packs cannot be had, and the findings that tell of them and of what they take away. */
export class Loss {
  readonly #findings: Findings;
  readonly #troubles: ReadonlyMap<string, PackTrouble>;
  readonly #quarantined: ReadonlyMap<string, Frames>;
  readonly #lost = new Map<string, ReadonlySet<number> | 'all'>();
  readonly #packs = new Map<string, PointFinding>();
  #others: PointFinding | undefined;
  readonly #otherPacks = new Set<string>();
  #nowhere: PointFinding | undefined;
  #nowhereFirst = '';
  #nowhereCount = 0;

  constructor(findings: Findings, troubles: readonly PackTrouble[], quarantined: ReadonlyMap<string, Frames>) {
    this.#findings = findings;
    this.#troubles = new Map(troubles.map((trouble) => [trouble.pack, trouble]));
    this.#quarantined = quarantined;
    for (const { pack, lost } of troubles) this.#add(pack, lost);
    for (const [pack, frames] of quarantined) this.#add(pack, frames);
    // What repair has set aside is told where a point still needs it.
    for (const { pack } of troubles) if (!this.#isKnown(pack)) this.#findingOf(pack);
  }

  isLost({ pack, ordinal }: BlockLocation): boolean {
    const frames = this.#lost.get(pack);
    return frames !== undefined && (frames === 'all' || frames.has(ordinal));
  }

  hit(point: string, { disk, offset, length, cause, count }: Hit): void {
    const range = { point, disk, offset, length };
    if (cause.packs.length === 0) this.#nowhereCount += count;
    for (const finding of this.#findingsFor(cause)) this.#findings.hit(finding, range);
  }

  #add(pack: string, frames: Frames): void {
    const before = this.#lost.get(pack) ?? [];
    this.#lost.set(pack, before === 'all' || frames === 'all' ? 'all' : new Set([...before, ...frames]));
  }

  /** The pack is quarantined for all that is wrong with it. */
  #isKnown(pack: string): boolean {
    return covers(this.#quarantined.get(pack), this.#troubles.get(pack)?.lost ?? []);
  }

  #findingsFor({ packs, trouble, id }: Cause): Iterable<PointFinding> {
    if (packs.length === 0) return [this.#blockInNoPack(id)];
    return new Set([...new Set(packs)].map((pack) => this.#findingOf(pack, trouble)));
  }

  #findingOf(pack: string, met?: Trouble): PointFinding {
    const known = this.#packs.get(pack);
    if (known) return known;
    if (this.#packs.size >= MOST_PACKS) return this.#otherPack(pack);
    const finding = this.#tellPack(pack, this.#troubles.get(pack)?.trouble ?? met);
    this.#packs.set(pack, finding);
    return finding;
  }

  #tellPack(pack: string, trouble: Trouble | undefined): PointFinding {
    const where = packPath(pack);
    if (trouble && !this.#isKnown(pack)) {
      const code = trouble.unread === null ? 'PACK' : 'IO';
      return this.#findings.tell('damage', {
        where,
        code,
        what: `pack ${trouble.what}`,
        cure: trouble.unread ?? REPAIR,
      });
    }
    const frames = this.#quarantined.get(pack);
    const count = frames === 'all' || frames === undefined ? 'all' : frames.length;
    const what = `pack was quarantined by \`vhdvault repair\`: ${count} of its blocks ${count === 1 ? 'is' : 'are'} lost`;
    return this.#findings.tell('damage', { where, cure: HEAL, code: 'QUARANTINED', what });
  }

  #otherPack(pack: string): PointFinding {
    this.#otherPacks.add(pack);
    this.#others ??= this.#findings.tell('damage', { code: 'PACK', what: '', where: 'packs', cure: REPAIR });
    this.#others.what = `${this.#otherPacks.size} more packs are damaged or missing`;
    return this.#others;
  }

  #blockInNoPack(id: Uint8Array): PointFinding {
    this.#nowhereFirst ||= `a block or map page (id ${toHex(id).slice(0, 16)}) is in no pack that the index knows`;
    const more = this.#nowhereCount - 1;
    const what = more > 0 ? `${this.#nowhereFirst}, and ${more} more like it` : this.#nowhereFirst;
    this.#nowhere ??= this.#findings.tell('damage', { code: 'BLOCK', what, where: 'index', cure: REBUILD_OR_HEAL });
    this.#nowhere.what = what;
    return this.#nowhere;
  }
}
