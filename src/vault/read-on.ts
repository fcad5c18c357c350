import { isError } from '../base/errors.ts';
import { openSegment, segmentPath } from './block-index.ts';
import type { VaultKeys } from './crypto/keys.ts';
import { decodeEntry, hashOf, type LogEntry, previousOf } from './log/entry.ts';
import { applyEntry } from './log/replay.ts';
import type { AddedSegment, VaultState } from './log/state.ts';
import type { Store } from './open-store.ts';
import { readLog } from './read-log.ts';

const SEGMENT = /^[0-9a-f]{64}$/;

/**
 * What the entries behind damage tell, for readers only: a state that may lack what the damaged ones told, and that nothing may
 * be written by. Segments that these may have added are found by a listing, which only proposes: what is read by them is checked
 * against its id. undefined: there is no readable entry behind it.
 * @throws VAULT_NEWER, IO
 */
export async function readOn(
  vault: { store: Store; keys: VaultKeys },
  before: VaultState,
): Promise<VaultState | undefined> {
  let state: VaultState | undefined;
  let previous: Uint8Array | undefined;
  for await (const { sequence, stored } of readLog(vault.store, { from: before.sequence + 1 })) {
    const entry = stored && openEntry(vault.keys, stored, sequence, previous);
    previous = entry && hashOf(stored);
    if (!entry || !previous) continue;
    state ??= structuredClone(before);
    expectWhatItRestsOn(state, entry);
    applyEntry(state, entry, previous);
  }
  if (state) state.segments = await segmentsOf(vault, state);
  return state;
}

/** Behind one that is damaged whatever it follows; undefined: it is damaged, too. */
function openEntry(
  keys: VaultKeys,
  stored: Uint8Array,
  sequence: number,
  previous: Uint8Array | undefined,
): LogEntry | undefined {
  try {
    return decodeEntry(keys, stored, sequence, previous ?? previousOf(stored));
  } catch (error) {
    if (isError(error, 'VAULT_DAMAGED')) return undefined;
    throw error;
  }
}

/** Its writer had seen what is damaged: the job was open, and what it gave up was forgotten. */
function expectWhatItRestsOn({ jobs, points }: VaultState, { body, job, sequence, time }: LogEntry): void {
  if ('adds' in body && !jobs.has(job)) jobs.set(job, 'open');
  if (body.type !== 'condemn') return;
  for (const id of body.points) {
    const point = points.get(id);
    if (point) point.forgotten ??= { sequence, time };
  }
}

/** Those that are there: of one that is not, nobody knows whether it was given up. */
async function segmentsOf(
  vault: { store: Store; keys: VaultKeys },
  { segments, dropped, sequence }: VaultState,
): Promise<AddedSegment[]> {
  const names = await vault.store.list('index').catch(() => undefined);
  if (!names) return segments;
  const listed = new Set(names.filter((name) => SEGMENT.test(name)));
  const found: AddedSegment[] = [];
  for (const added of segments) if (listed.delete(added.segment) || (await isThere(vault, added))) found.push(added);
  for (const segment of listed) {
    const added = dropped.has(segment) ? undefined : await factsOf(vault, segment);
    if (added) found.push({ ...added, sequence, job: '' });
  }
  return found;
}

/** A listing may leave it out. Of one that cannot be looked at, who needs it is told. */
async function isThere({ store }: { store: Store }, { segment }: AddedSegment): Promise<boolean> {
  return (await store.size(segmentPath(segment)).catch(() => 0)) !== undefined;
}

async function factsOf(
  { store, keys }: { store: Store; keys: VaultKeys },
  segment: string,
): Promise<Omit<AddedSegment, 'sequence' | 'job'> | undefined> {
  const path = segmentPath(segment);
  try {
    const size = (await store.size(path)) ?? 0;
    await using file = await openSegment(store, keys, path);
    const bytes = file.packs.reduce((sum, pack) => sum + pack.size, 0);
    return { segment, size, packs: file.packs.length, bytes };
  } catch (error) {
    // Who needs it is told what is the matter with it.
    if (isError(error, 'IO', 'NO_PERMISSION')) return { segment, size: 0, packs: 0, bytes: 0 };
    if (isError(error, 'VAULT_DAMAGED', 'VAULT_NEWER', 'NOT_FOUND')) return undefined;
    throw error;
  }
}
