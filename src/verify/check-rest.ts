import { openSegment, segmentPath } from '../vault/block-index.ts';
import { packPath } from '../vault/block-writer.ts';
import { checkReserve } from '../vault/reserve.ts';
import { troubleOf } from '../vault/trouble.ts';
import type { Vault } from '../vault/vault.ts';
import type { Content } from './check-content.ts';
import type { Findings } from './findings.ts';
import { tellStrays } from './strays.ts';
import { survey } from './survey.ts';
import { tellFolders, tellNames, tellReserve } from './tell.ts';

/** Checks all files of a vault that no point needs: what they are, or whose they are. Returns the folders that are missing. */
export async function checkRest(
  vault: Vault,
  content: Content,
  findings: Findings,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const found = await survey(vault.store, signal);
  await vault.refresh();
  tellFolders(found, findings, content.findings.all);
  const { state } = vault;
  const packs = new Set([...content.indexed, ...content.known.condemned, ...state.condemned.keys()]);
  const segments = new Set([...state.segments.map(({ segment }) => segment), ...state.dropped.keys()]);
  for (const pack of await packsAddedSince(vault, content)) packs.add(pack);
  const isWhole = !vault.damage && content.badSegments.length === 0;
  tellQuarantined(content, findings);
  await tellStrays(vault, found, { packs, segments, isWhole }, findings);
  const ofReserve = await checkReserve(vault.store, vault.config.reserve, { signal });
  if (ofReserve) tellReserve(ofReserve, findings);
  return found.missingFolders;
}

/**
 * Packs that repair quarantined and that hit no point (any more): whoever has no key sees wrong bytes, and must be able to find
 * out that they do not matter.
 */
function tellQuarantined({ indexed, known, findings: ofContent }: Content, findings: Findings): void {
  const told = new Set(ofContent.all.map(({ where }) => where));
  const packs = [...known.quarantined.keys()].filter((pack) => indexed.has(pack)).map(packPath);
  tellNames(findings, {
    ...{ code: 'QUARANTINED', names: packs.filter((path) => !told.has(path)), where: 'packs', cure: FREED },
    what: 'that `vhdvault repair` quarantined, and by which no point loses anything',
  });
}

/** Of packs that hit no point. */
const FREED =
  'nothing is to be mended: `vhdvault gc` stores elsewhere what it needs of them and gives them up, and a gc a day after that (or with `--grace 0s`) frees them; until then `vhdvault scrub` tells those with wrong bytes as damage';

/** Of segments that were added while verify was at work. */
async function packsAddedSince({ store, keys, state }: Vault, { known }: Content): Promise<string[]> {
  const before = new Set(known.segments.map(({ segment }) => segment));
  const packs: string[] = [];
  for (const { segment: name } of state.segments.filter(({ segment }) => !before.has(segment))) {
    const path = segmentPath(name);
    try {
      await using segment = await openSegment(store, keys, path);
      packs.push(...segment.packs.map((pack) => pack.name));
    } catch (error) {
      // The next run checks it.
      troubleOf(error, path);
    }
  }
  return packs;
}
