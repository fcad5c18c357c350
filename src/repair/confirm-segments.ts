import { checkSegment } from '../vault/check-segment.ts';
import type { AddedSegment, Vault } from '../vault/vault.ts';

const nowhere = { packs: () => undefined, entries: () => undefined };

/** Of segments that were found damaged those that have wrong bytes still: what cannot be read is no proof of that (D6). */
export async function confirmSegments(vault: Vault, suspected: readonly AddedSegment[]): Promise<AddedSegment[]> {
  const bad: AddedSegment[] = [];
  for (const added of suspected) {
    const trouble = await checkSegment(vault, added, nowhere);
    if (trouble?.unread === null) bad.push(added);
  }
  return bad;
}
