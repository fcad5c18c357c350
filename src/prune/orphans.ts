import { throwIfAborted } from '../base/abort.ts';
import { isError } from '../base/errors.ts';
import { segmentPath } from '../vault/block-index.ts';
import { PACK_FOLDERS, packPath } from '../vault/block-writer.ts';
import { ownerOf } from '../vault/object-owner.ts';
import type { Vault } from '../vault/vault.ts';
import { openLive, type Stoppable } from './read-index.ts';

/** Packs and segments that no entry adds and none ever will: their job is closed. */
export interface Orphans {
  packs: { path: string; bytes: number }[];
  segments: { path: string; bytes: number }[];
  /** By jobs that are open: what they have stored so far, in bytes; undefined where it was not looked for. */
  stored: Map<string, number> | undefined;
  /** What was left alone, and why. */
  warnings: string[];
}

/** What the log knows at one moment: what a job that is closed then did not add, it never does. */
interface Known {
  closed: ReadonlySet<string>;
  /** Of packs and segments that are live, or wait to be swept. */
  names: Set<string>;
}

const NAME = /^[0-9a-f]{64}$/;

/**
 * Looks for what jobs left that were closed without adding it. A listing proposes; the live segments and the log decide, and if one
 * of them cannot be read nothing is an orphan. `closing`: jobs that are open and count as closed, for a preview.
 * @throws IO, VAULT_DAMAGED, CANCELLED
 */
export async function findOrphans(
  vault: Vault,
  { signal, closing = [] }: Stoppable & { closing?: readonly string[] },
): Promise<Orphans> {
  const orphans: Orphans = { packs: [], segments: [], stored: undefined, warnings: [] };
  await vault.refreshWhole();
  const known = await readKnown(vault, closing, signal).catch((error: unknown) => {
    if (!isError(error, 'GC_BLOCKED')) throw error;
    orphans.warnings.push(`what interrupted runs left was not looked for: ${error.message}`);
  });
  if (!known) return orphans;
  const strange: string[] = [];
  const stored = new Map<string, number>();
  orphans.stored = stored;
  const look = async (folder: string, kind: 'pack' | 'segment'): Promise<void> => {
    for (const name of await list(vault, folder, orphans)) {
      throwIfAborted(signal);
      const path = kind === 'pack' ? packPath(name) : segmentPath(name);
      if (known.names.has(name) || !NAME.test(name) || path !== `${folder}/${name}`) continue;
      const bytes = await vault.store.size(path);
      if (bytes === undefined) continue;
      const job = await ownerOf(vault.store, path, kind);
      if (job !== undefined && known.closed.has(job)) orphans[`${kind}s`].push({ path, bytes });
      else if (job === undefined || vault.state.jobs.get(job) === undefined) strange.push(path);
      else stored.set(job, (stored.get(job) ?? 0) + bytes);
    }
  };
  for (const folder of PACK_FOLDERS) await look(`packs/${folder}`, 'pack');
  await look('index', 'segment');
  orphans.warnings.push(...(await strangeWarnings(vault, strange)));
  return orphans;
}

async function readKnown(vault: Vault, closing: readonly string[], signal: AbortSignal | undefined): Promise<Known> {
  const { jobs, segments, condemned, dropped } = vault.state;
  const closed = new Set([...closing, ...[...jobs].flatMap(([job, status]) => (status === 'closed' ? [job] : []))]);
  const names = new Set([...condemned.keys(), ...dropped.keys(), ...segments.map(({ segment }) => segment)]);
  for (const added of [...segments]) {
    throwIfAborted(signal);
    await using segment = await openLive(vault, added);
    for (const { name } of segment.packs) names.add(name);
  }
  return { closed, names };
}

async function list({ store }: Vault, folder: string, { warnings }: Orphans): Promise<string[]> {
  try {
    return await store.list(folder);
  } catch (error) {
    if (!isError(error, 'IO', 'NO_PERMISSION')) throw error;
    warnings.push(`${folder} was not looked at: ${error.message}`);
    return [];
  }
}

/** A run that began meanwhile is known to a newer state. */
async function strangeWarnings(vault: Vault, paths: readonly string[]): Promise<string[]> {
  if (paths.length === 0) return [];
  await vault.refresh();
  const left: string[] = [];
  for (const path of paths) {
    if ((await vault.store.size(path)) === undefined) continue;
    const job = await ownerOf(vault.store, path, path.startsWith('packs/') ? 'pack' : 'segment');
    if (job === undefined || vault.state.jobs.get(job) === undefined) left.push(path);
  }
  const [first] = left;
  if (first === undefined) return [];
  const what = left.length === 1 ? `${first} is` : `${left.length} files, as ${first}, are`;
  return [`${what} of no run that the log knows, and left alone: move them away if you know what they are`];
}
