import { throwIfAborted } from '../base/abort.ts';
import { fromHex, toHex } from '../base/hex.ts';
import { mergeSegments, type Segment } from '../vault/block-index.ts';
import { partPath } from '../vault/block-writer.ts';
import type { AddedSegment, Vault } from '../vault/vault.ts';
import { whileOthersMove } from './moved-on.ts';
import { checkOwnJob, publishSegment, underOwnJob } from './own-job.ts';
import { countsOf, type MergePlan, planMerges, type SegmentFacts } from './plan-merges.ts';
import { openLive, type Stoppable } from './read-index.ts';

export interface Merged {
  /** Segments that were dropped, and those that took their place. */
  segments: number;
  into: number;
}

/** What was merged may be one of many again. */
const MOST_ROUNDS = 12;
/** Names in one entry. */
const MOST_DROPPED = 8192;

/** All live segments, the oldest first. @throws GC_BLOCKED, CANCELLED */
export async function readTails(vault: Vault, { signal }: Stoppable): Promise<SegmentFacts[]> {
  return await whileOthersMove(vault, () => readAllTails(vault, signal));
}

async function readAllTails(vault: Vault, signal: AbortSignal | undefined): Promise<SegmentFacts[]> {
  const facts: SegmentFacts[] = [];
  for (const added of [...vault.state.segments]) {
    throwIfAborted(signal);
    await using segment = await openLive(vault, added);
    facts.push({ name: added.segment, entries: segment.entries, packs: segment.packs });
  }
  return facts;
}

/**
 * Brings the index into shape, until nothing is left to be done. What somebody else dropped meanwhile is left to him.
 * @throws GC_BLOCKED, JOB_CLOSED, NO_SPACE, IO, CANCELLED, VAULT_DAMAGED, OUTCOME_UNKNOWN
 */
export async function mergeIndex(vault: Vault, { signal }: Stoppable, onCommit: (done: Merged) => void): Promise<void> {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    let segments = await readTails(vault, { signal });
    const { condemned } = vault.state;
    const plan = planMerges(segments, (pack) => condemned.has(pack));
    if (plan.dropped.length + plan.merged.length === 0) return;
    await drop(vault, plan, onCommit);
    for (const group of plan.merged) {
      throwIfAborted(signal);
      const known = segments;
      const merged = await whileOthersMove(vault, () => mergeGroup(vault, known, group, signal));
      if (!merged) continue;
      segments = [...known.filter(({ name }) => !group.includes(name)), merged];
      onCommit({ segments: group.length, into: 1 });
    }
  }
}

/** Nothing of these is left, so nothing is added: this needs no job that is open. */
async function drop(vault: Vault, { dropped }: MergePlan, onCommit: (done: Merged) => void): Promise<void> {
  for (let at = 0; at < dropped.length; at += MOST_DROPPED) {
    let some: string[] = [];
    const entry = await vault.commit(({ segments }) => {
      const live = new Set(segments.map(({ segment }) => segment));
      some = dropped.slice(at, at + MOST_DROPPED).filter((name) => live.has(name));
      return some.length === 0 ? null : { type: 'index-merge' as const, adds: [], dropped: some };
    });
    if (entry) onCommit({ segments: some.length, into: 0 });
  }
}

/** Gives the segment that took the place of the group; null: somebody else was quicker. `all`: the live segments as they are by now. */
async function mergeGroup(
  vault: Vault,
  all: readonly SegmentFacts[],
  group: readonly string[],
  signal: AbortSignal | undefined,
): Promise<SegmentFacts | null> {
  const { store, keys, random } = vault;
  const { condemned } = vault.state;
  const members = new Set(group);
  const added = vault.state.segments.filter(({ segment }) => members.has(segment));
  if (added.length < group.length) return null;
  return await underOwnJob(vault, 'index-merge', async (own) => {
    const path = partPath(own.folder, toHex(random.bytes(4)), 'segment');
    const merged = await withSegments(vault, added, (segments) =>
      mergeSegments({
        ...{ store, keys, random, job: fromHex(own.job), path, segments, signal },
        leavesOut: (pack) => condemned.has(pack),
      }),
    );
    if (!merged) return null;
    const { packs: _, bytes: __, ...published } = await publishSegment(vault, own, { path, ...merged });
    const gone = goneWith(all, members, new Set(merged.packs.map(({ name }) => name)));
    const adds = [{ ...published, ...countsOf(added, gone) }];
    const entry = await vault.commit(
      async (state) => {
        await checkOwnJob(vault, state, own, []);
        const live = new Set(state.segments.map(({ segment }) => segment));
        const isStill = group.every((name) => live.has(name));
        return isStill ? { type: 'index-merge' as const, adds, dropped: [...group] } : null;
      },
      { job: own.job },
    );
    return entry && { name: merged.name, entries: 0, packs: merged.packs };
  });
}

async function withSegments<T>(
  vault: Vault,
  added: readonly AddedSegment[],
  work: (segments: Segment[]) => Promise<T>,
): Promise<T> {
  await using open = new AsyncDisposableStack();
  const segments: Segment[] = [];
  for (const one of added) segments.push(open.use(await openLive(vault, one)));
  return await work(segments);
}

/** Packs that no live segment lists any more once the members are gone. */
function goneWith(
  all: readonly SegmentFacts[],
  members: ReadonlySet<string>,
  stay: ReadonlySet<string>,
): { size: number }[] {
  const listed = new Set(
    all.filter(({ name }) => !members.has(name)).flatMap(({ packs }) => packs.map(({ name }) => name)),
  );
  const before = new Map(
    all.filter(({ name }) => members.has(name)).flatMap(({ packs }) => packs.map((pack) => [pack.name, pack] as const)),
  );
  return [...before.values()].filter(({ name }) => !stay.has(name) && !listed.has(name));
}
