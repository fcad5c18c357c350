import { VhdvaultError } from '../base/errors.ts';
import { fromHex } from '../base/hex.ts';
import { type SegmentEntry, segmentPath, writeSegment } from '../vault/block-index.ts';
import { packPath, partPath } from '../vault/block-writer.ts';
import type { Store } from '../vault/open-store.ts';
import type { Adds, Vault } from '../vault/vault.ts';
import type { LocationTable } from './location-table.ts';

/** Well under the format's 16 million: what a client must hold of one segment stays small. */
const ENTRIES = 4_000_000;

/** Whose segments: a job (hex), its staging location in the store, and what tells this run from others of the job. */
export interface SegmentsOf {
  vault: Vault;
  job: string;
  folder: string;
  run: string;
}

/**
 * Writes a job's overlay as segments and makes the names of its packs durable. After this its entry may be committed.
 * Nothing was stored: nothing is written. `expected` is how many packs the overlay must know.
 * @throws IO when overlay or vault does not have what the run put into it
 */
export async function writeSegments(of: SegmentsOf, overlay: LocationTable, expected: number): Promise<Adds[]> {
  const packs = overlay.packs();
  if (packs.length !== expected) throw incomplete(packs.length, expected);
  if (packs.length === 0) return [];
  await checkWhole(of.vault, overlay);
  return await writeRows(of, overlay);
}

/** The same, of packs that are in the vault already and may be damaged. */
export async function writeRows(
  { vault, job: jobHex, folder, run }: SegmentsOf,
  overlay: LocationTable,
): Promise<Adds[]> {
  const packs = overlay.packs();
  const { store, keys, random } = vault;
  const job = fromHex(jobHex);
  const ordinals = new Map(packs.map(({ n }, ordinal) => [n, ordinal]));
  const bytes = packs.reduce((sum, { size }) => sum + size, 0);
  const adds: Adds[] = [];
  const rows = overlay.rows();
  for (let row = rows.next(); !row.done; ) {
    const entries = function* (): Generator<SegmentEntry> {
      for (let n = 0; n < ENTRIES && !row.done; n++, row = rows.next())
        yield { ...row.value, pack: ordinals.get(row.value.pack) as number };
    };
    const path = partPath(folder, run, `segment-${adds.length}`);
    const { name, size } = await writeSegment({ store, keys, random, job, path, packs, entries: entries() });
    await store.rename(path, segmentPath(name));
    await checkSegmentSize(store, name, size);
    // Counted once, so that sums over adds are right.
    const isFirst = adds.length === 0;
    adds.push({ segment: name, size, packs: isFirst ? packs.length : 0, bytes: isFirst ? bytes : 0 });
  }
  const folders = new Set(packs.map(({ name }) => packPath(name).slice(0, 'packs/xx'.length)));
  await Promise.all([...folders, 'index'].map((touched) => store.syncFolder(touched)));
  return adds;
}

function incomplete(found: number, expected: number): VhdvaultError {
  return new VhdvaultError('IO', `the run's own index knows ${found} packs of ${expected}: no point was made`, {
    hint: 'leave the cache folder alone while a backup runs, and run it again',
    details: { found, expected },
  });
}

async function checkSegmentSize(store: Store, name: string, size: number): Promise<void> {
  const found = await store.size(segmentPath(name));
  if (found === size) return;
  throw new VhdvaultError(
    'IO',
    `${segmentPath(name)} has ${found ?? 'no'} bytes, expected ${size}: no point was made`,
    {
      hint: 'check the disk of the vault, then run the backup again',
      details: { segment: name },
    },
  );
}

/**
 * The overlay lies in the cache, and the vault's index is about to be written from it: every block of every pack must be
 * in it, and every pack in the vault with its size (J4c).
 */
async function checkWhole({ store }: Vault, overlay: LocationTable): Promise<void> {
  const counts = overlay.blocksPerPack();
  for (const { n, name, size, frames } of overlay.packs()) {
    const found = await store.size(packPath(name));
    if (found === size && counts.get(n) === frames) continue;
    const what =
      found === size
        ? `the run's own index knows ${counts.get(n) ?? 0} of the ${frames} blocks of ${packPath(name)}`
        : `${packPath(name)} has ${found ?? 'no'} bytes, expected ${size}`;
    throw new VhdvaultError('IO', `${what}: no point was made`, {
      hint: 'check the disks of the cache folder and of the vault, then run the backup again',
      details: { pack: name },
    });
  }
}
