import { MOST_PACKS, type Vault } from '../vault/vault.ts';
import { withGoodCopies } from './check-copies.ts';
import type { Marks } from './mark.ts';
import { orAgain } from './moved-on.ts';
import type { Needs } from './needs.ts';
import type { PackFacts } from './pack-table.ts';
import type { Stoppable } from './read-index.ts';

/** Points that nobody can bring back any more, and packs (by their number) that no other point needs. */
export interface CondemnPlan {
  points: readonly string[];
  packs: readonly number[];
}

/** More points are given up by several entries. */
const MOST_POINTS = 16_384;

/** What no point needs, or has elsewhere: those copies are read. @throws GC_BLOCKED, CANCELLED */
export async function planCondemn(vault: Vault, marks: Marks, { signal }: Stoppable): Promise<CondemnPlan> {
  const { packs: table, lapsed, isLacking } = marks;
  const idle = [...table.packs.keys()].filter((number) => {
    const { status, kept } = table.packs[number] as PackFacts;
    // Its files may have been away for a while, or be brought back from a copy.
    return kept === 0 && (status === 'usable' || (status === 'quarantined' && !isLacking));
  });
  return { points: lapsed, packs: await withGoodCopies({ vault, table, signal }, idle) };
}

export interface Condemned {
  points: number;
  packs: number;
  bytes: number;
}

/**
 * Gives points and packs up, as far as that is still right at the number that each entry gets. The points come first: of one that
 * can be brought back nothing may be gone.
 * @throws GC_BLOCKED, CANCELLED, VAULT_DAMAGED, NO_SPACE, OUTCOME_UNKNOWN
 */
export async function applyCondemn(
  vault: Vault,
  needs: Needs,
  plan: CondemnPlan,
  onCommit: (done: Condemned) => void,
): Promise<void> {
  const { packs: facts } = needs.marks.packs;
  let [points, packs] = [plan.points, plan.packs];
  while (points.length > 0 || packs.length > 0) {
    let chosen: number[] = [];
    const entry = await vault.commit((state) =>
      orAgain(vault, async () => {
        packs = await needs.dispensable(state, packs);
        points = needs.lapsed(state, points);
        chosen = points.length <= MOST_POINTS ? packs.slice(0, MOST_PACKS) : [];
        if (points.length + chosen.length === 0) return null;
        const names = chosen.map((number) => (facts[number] as PackFacts).name);
        return { type: 'condemn' as const, points: points.slice(0, MOST_POINTS), packs: names };
      }),
    );
    if (!entry) return;
    needs.committed(entry);
    const bytes = chosen.reduce((sum, number) => sum + (facts[number] as PackFacts).size, 0);
    onCommit({ points: Math.min(points.length, MOST_POINTS), packs: chosen.length, bytes });
    points = points.slice(MOST_POINTS);
    packs = packs.slice(chosen.length);
  }
}
