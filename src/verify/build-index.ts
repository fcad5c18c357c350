import { throwIfAborted } from '../base/abort.ts';
import type { LocationTable } from '../cache/location-table.ts';
import { segmentPath } from '../vault/block-index.ts';
import { checkSegment, type SegmentSink } from '../vault/check-segment.ts';
import type { Vault } from '../vault/vault.ts';
import { codeOf, REBUILD } from './cures.ts';
import { Findings } from './findings.ts';
import { type KnownState, knownState } from './known-state.ts';

/** Fills an index with what can be read of the vault's segments. */
export async function fillIndex(vault: Vault, index: LocationTable, signal?: AbortSignal): Promise<void> {
  await buildIndex({ vault, known: knownState(vault), index, signal }, new Findings());
}

/**
 * Fills the index that verify makes for itself, since it trusts no cache, and tells what is wrong with the vault's segments;
 * returns the names of those.
 */
export async function buildIndex(
  options: { vault: Vault; known: KnownState; index: LocationTable; signal?: AbortSignal | undefined },
  findings: Findings,
): Promise<string[]> {
  const { vault, known, index, signal } = options;
  const bad: string[] = [];
  for (const added of known.segments) {
    throwIfAborted(signal);
    const trouble = await checkSegment(vault, added, intoIndex(index, known.condemned));
    if (!trouble) continue;
    bad.push(added.segment);
    findings.tell('damage', {
      code: codeOf(trouble, 'SEGMENT'),
      what: `index segment ${trouble.what}`,
      where: segmentPath(added.segment),
      cure: trouble.unread ?? REBUILD,
    });
  }
  return bad;
}

/** What is condemned may be gone, and no point may need it. */
function intoIndex(index: LocationTable, condemned: ReadonlySet<string>): SegmentSink {
  let ordinals: (number | undefined)[] = [];
  return {
    packs: (packs) =>
      index.transaction(() => {
        ordinals = packs.map((pack) => (condemned.has(pack.name) ? undefined : index.addPack(pack)));
      }),
    entries: (entries) =>
      index.transaction(() => {
        const rows = entries.map((entry) => ({ ...entry, pack: ordinals[entry.pack] ?? -1 }));
        index.addBlocks(rows.filter(({ pack }) => pack >= 0));
      }),
  };
}
