import { throwIfAborted } from '../base/abort.ts';
import { isError } from '../base/errors.ts';
import { segmentPath } from '../vault/block-index.ts';
import { packPath } from '../vault/block-writer.ts';
import { type AddedSegment, MOST_PACKS, type Vault, type VaultState } from '../vault/vault.ts';
import { openLive, type Stoppable } from './read-index.ts';

/** Which files wait to be deleted. */
export interface Ages {
  /** Milliseconds since 1970 UTC, by the log's clock. */
  now: number;
  /** For readers' sake a file stays for so many milliseconds after it was given up. */
  grace: number;
}

/** A pack or segment that was given up; no bytes where the file is gone already. */
export interface SweptFile {
  name: string;
  bytes: number;
}

/** What was given up long enough ago, and what will be: how many bytes, and when (milliseconds since 1970 UTC). */
export interface SweepPlan {
  packs: readonly SweptFile[];
  segments: readonly SweptFile[];
  later: readonly { bytes: number; at: number }[];
}

/** Names in one entry. */
const MOST_SEGMENTS = 8192;

/** @throws IO, CANCELLED */
export async function planSweep(vault: Vault, { now, grace }: Ages, { signal }: Stoppable): Promise<SweepPlan> {
  const { store, state } = vault;
  const later = new Map<number, number>();
  const due = async (since: VaultState['condemned'], path: (name: string) => string): Promise<SweptFile[]> => {
    const files: SweptFile[] = [];
    for (const [name, { time }] of [...since]) {
      throwIfAborted(signal);
      const bytes = (await store.size(path(name))) ?? 0;
      if (grace === 0 || now - time >= grace) files.push({ name, bytes });
      else if (bytes > 0) later.set(time + grace, (later.get(time + grace) ?? 0) + bytes);
    }
    return files;
  };
  const packs = await due(state.condemned, packPath);
  const segments = await due(state.dropped, segmentPath);
  const sorted = [...later].sort(([a], [b]) => a - b);
  return { packs, segments, later: sorted.map(([at, bytes]) => ({ bytes, at })) };
}

/**
 * Deletes the files and tells the log, so that it need not know their names any more: of packs only if no live segment lists them,
 * since a name that is listed and not condemned would be usable.
 * @throws IO, NO_SPACE, VAULT_DAMAGED, OUTCOME_UNKNOWN, CANCELLED
 */
export async function applySweep(
  vault: Vault,
  plan: SweepPlan,
  { signal }: Stoppable,
  onDelete: (kind: 'packs' | 'segments', bytes: number) => void,
): Promise<void> {
  if (plan.packs.length + plan.segments.length === 0) return;
  await vault.refreshWhole();
  const { condemned, dropped } = vault.state;
  const packs = plan.packs.filter(({ name }) => condemned.has(name));
  const segments = plan.segments.filter(({ name }) => dropped.has(name));
  await deleteFiles(
    vault,
    packs.map(({ name, bytes }) => ({ path: packPath(name), bytes })),
    { signal, onDelete: (bytes) => onDelete('packs', bytes) },
  );
  await deleteFiles(
    vault,
    segments.map(({ name, bytes }) => ({ path: segmentPath(name), bytes })),
    { signal, onDelete: (bytes) => onDelete('segments', bytes) },
  );
  await tellSwept(
    vault,
    packs.map(({ name }) => name),
    segments.map(({ name }) => name),
  );
}

/** Removes files and makes that durable; who asks has made sure. */
export async function deleteFiles(
  vault: Vault,
  files: readonly { path: string; bytes: number }[],
  { signal, onDelete }: Stoppable & { onDelete: (bytes: number) => void },
): Promise<void> {
  // What somebody else gave up must not be live again after a power cut.
  if (files.length > 0) await vault.makeDurable();
  const { store } = vault;
  const folders = new Set<string>();
  try {
    for (const { path, bytes } of files) {
      throwIfAborted(signal);
      // Gone by a sweep that could not tell the log.
      if (bytes === 0) continue;
      await store.remove(path);
      folders.add(path.slice(0, path.lastIndexOf('/')));
      onDelete(bytes);
    }
  } finally {
    for (const folder of folders) await store.syncFolder(folder);
  }
}

async function tellSwept(vault: Vault, packs: readonly string[], segments: readonly string[]): Promise<void> {
  const listed = new Map<string, readonly string[]>();
  const gone = new Set(packs);
  for (;;) {
    const entry = await vault.commit(async (state) => {
      const swept = {
        packs: (await unlisted(vault, state, { gone, listed })).slice(0, MOST_PACKS),
        segments: segments.filter((name) => state.dropped.has(name)).slice(0, MOST_SEGMENTS),
      };
      return swept.packs.length + swept.segments.length === 0 ? null : { type: 'swept' as const, ...swept };
    });
    if (!entry) return;
  }
}

/** Which of these packs are condemned and in no live segment; `listed`: what was seen of segments so far. */
async function unlisted(
  vault: Vault,
  { condemned, segments }: VaultState,
  { gone, listed }: { gone: ReadonlySet<string>; listed: Map<string, readonly string[]> },
): Promise<string[]> {
  const left = new Set([...gone].filter((name) => condemned.has(name)));
  if (left.size === 0) return [];
  for (const added of [...segments]) {
    const names = listed.get(added.segment) ?? (await namesIn(vault, added, gone));
    if (!names) return [];
    listed.set(added.segment, names);
    for (const name of names) left.delete(name);
  }
  return [...left];
}

/** Nobody knows what a segment lists that cannot be read. */
async function namesIn(vault: Vault, added: AddedSegment, gone: ReadonlySet<string>): Promise<string[] | undefined> {
  try {
    await using segment = await openLive(vault, added);
    return segment.packs.map(({ name }) => name).filter((name) => gone.has(name));
  } catch (error) {
    if (isError(error, 'GC_BLOCKED')) return undefined;
    throw error;
  }
}
