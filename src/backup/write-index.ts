import type { LocationTable } from '../cache/location-table.ts';
import { type SegmentEntry, segmentPath, writeSegment } from '../vault/block-index.ts';
import { packPath } from '../vault/block-writer.ts';
import type { Adds, Vault } from '../vault/vault.ts';

/** Well under the format's 16 million: what a client must hold of one segment stays small. */
const ENTRIES = 4_000_000;

/**
 * Writes the job's overlay as segments and makes the names of its packs durable. After this the point may be committed.
 * Nothing was stored: nothing is written.
 */
export async function writeIndex(
  vault: Vault,
  job: Uint8Array,
  folder: string,
  overlay: LocationTable,
): Promise<Adds[]> {
  const packs = overlay.packs();
  if (packs.length === 0) return [];
  const { store, keys, random } = vault;
  const ordinals = new Map(packs.map(({ n }, ordinal) => [n, ordinal]));
  const bytes = packs.reduce((sum, { size }) => sum + size, 0);
  const adds: Adds[] = [];
  const rows = overlay.rows();
  for (let row = rows.next(); !row.done; ) {
    const entries = function* (): Generator<SegmentEntry> {
      for (let n = 0; n < ENTRIES && !row.done; n++, row = rows.next()) {
        yield { ...row.value, pack: ordinals.get(row.value.pack) as number };
      }
    };
    const path = `${folder}/segment-${adds.length}`;
    const { name, size } = await writeSegment({ store, keys, random, job, path, packs, entries: entries() });
    await store.rename(path, segmentPath(name));
    adds.push({ segment: name, size, packs: packs.length, bytes });
  }
  const folders = new Set(packs.map(({ name }) => packPath(name).slice(0, 'packs/xx'.length)));
  for (const touched of [...folders, 'index']) await store.syncFolder(touched);
  return adds;
}
