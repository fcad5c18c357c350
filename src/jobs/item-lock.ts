import { isError, VhdvaultError } from '../base/errors.ts';
import { equalBytes, toHex } from '../base/hex.ts';
import { isName } from '../base/names.ts';
import { writeObject } from '../vault/open-store.ts';
import { sealLock, unsealLock } from '../vault/sealed-file.ts';
import type { Vault } from '../vault/vault.ts';
import { isRunning, type Owner, sharesPids, thisProcess } from './lock-owner.ts';

/** How often a holder tells that it lives. Where pids mean nothing, two missed ones make it dead. */
const HEARTBEAT = 20_000;
const TWO_MISSED = 2 * HEARTBEAT + 5_000;

/** Tokens of this process's locks: one of its own that is not here was left behind when it could not be removed. */
const held = new Set<string>();

export interface ItemLock extends AsyncDisposable {
  /** Told when the lock of a dead run was taken over. */
  readonly takenOver: string | undefined;
  /** False when another run took this one for dead, and took it over. */
  isHeld(): Promise<boolean>;
}

/** A lock that is there: its bytes, and whose it is, null when they cannot be read. */
interface FoundLock {
  bytes: Uint8Array;
  owner: Owner | null;
}

/**
 * Locks an item, so that two runs do not do the same work. It only saves work: no data depends on it, but in a vault for
 * a single writer, where it locks the whole vault. A dead owner is taken over at once where its process can be looked
 * for, elsewhere (another host or container, or before a reboot) after two missed heartbeats.
 * @throws ITEM_LOCKED, telling who holds it and since when
 */
export async function lockItem(vault: Vault, item: string, signal?: AbortSignal): Promise<ItemLock> {
  const path = lockPath(vault, item);
  const mine: Owner = {
    ...(await thisProcess()),
    since: vault.clock.now(),
    beat: 0,
    token: toHex(vault.random.bytes(8)),
  };
  held.add(mine.token);
  const takenOver = await takeLock(vault, path, mine, item, signal).catch((error: unknown) => {
    held.delete(mine.token);
    throw error;
  });
  let beating: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    beating = beating.then(() => beat(vault, path, mine));
  }, HEARTBEAT);
  timer.unref();
  const name = path.slice('locks/'.length);
  await removeLeft(vault, mine, (found) => found.startsWith(`${name}.`)).catch(() => undefined);
  return {
    takenOver,
    isHeld: () => isMine(vault, path, mine),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await beating;
      held.delete(mine.token);
      await release(vault, path, mine);
    },
  };
}

/**
 * Whether a live run holds the lock of an item. Where its process cannot be looked for, it has the time of two heartbeats to
 * show itself. In a vault for a single writer who asks holds the only lock there is.
 */
export async function isItemLocked(vault: Vault, item: string, signal?: AbortSignal): Promise<boolean> {
  if (vault.config.singleWriter) return false;
  const path = lockPath(vault, item);
  const found = await readLock(vault, path);
  if (!found) return false;
  const me: Owner = { ...(await thisProcess()), since: 0, beat: 0, token: '' };
  return (await isAlive(vault, path, found, me, signal)) !== undefined;
}

/** Removes locks that dead runs of this machine left; of others the next run of the item takes over. */
export async function removeDeadLocks(vault: Vault): Promise<void> {
  const mine: Owner = { ...(await thisProcess()), since: 0, beat: 0, token: '' };
  await removeLeft(vault, mine, () => true).catch(() => undefined);
}

/** Returns whose lock was taken over, if one was. */
async function takeLock(
  vault: Vault,
  path: string,
  mine: Owner,
  item: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  let takenOver: string | undefined;
  while (!(await place(vault, path, mine))) {
    const found = await readLock(vault, path);
    if (!found) continue;
    const now = await isAlive(vault, path, found, mine, signal);
    if (now) throw locked(vault, item, now);
    takenOver = found.owner
      ? `the lock of a dead run (${describe(found.owner)}) was taken over`
      : 'an unreadable lock was taken over';
    await removeDead(vault, path, found.bytes);
  }
  return takenOver;
}

/** Puts the lock there unless one is there: whole under a name of its own, then linked. */
async function place(vault: Vault, path: string, owner: Owner): Promise<boolean> {
  if (vault.config.singleWriter) return placeExclusive(vault, path, owner);
  const part = partOf(vault, path);
  try {
    await writeObject(vault.store, part, sealOwner(vault, owner));
    return (await vault.store.link(part, path).catch(onceMore(vault, part))) === 'linked';
  } finally {
    await vault.store.remove(part);
  }
}

/** The holder tidied up, and took the part for a dead run's. */
function onceMore({ store }: Vault, part: string): (error: unknown) => Promise<'exists'> {
  return async (error) => {
    if (isError(error, 'NOT_FOUND') && (await store.size(part)) === undefined) return 'exists';
    throw error;
  };
}

/** Where link(2) is missing: O_EXCL. A lock that was torn by a crash is unreadable, and taken over after the wait. */
async function placeExclusive(vault: Vault, path: string, owner: Owner): Promise<boolean> {
  try {
    await writeObject(vault.store, path, sealOwner(vault, owner));
    return true;
  } catch (error) {
    if (isError(error, 'TARGET_EXISTS')) return false;
    throw error;
  }
}

/** The lock of a live run, as it is now; undefined when its run is dead or it is gone. */
async function isAlive(
  vault: Vault,
  path: string,
  found: FoundLock,
  mine: Owner,
  signal: AbortSignal | undefined,
): Promise<FoundLock | undefined> {
  const { owner } = found;
  if (owner && sharesPids(owner, mine)) return (await isDead(owner, mine)) ? undefined : found;
  await vault.clock.sleep(TWO_MISSED, signal);
  // Every heartbeat seals anew, so it shows in the bytes even where they cannot be read.
  const now = await readLock(vault, path);
  return now && !equalBytes(now.bytes, found.bytes) ? now : undefined;
}

/** Two runs may find the same lock dead: it is moved aside first, and what the quicker one placed meanwhile is put back. */
async function removeDead(vault: Vault, path: string, dead: Uint8Array): Promise<void> {
  const aside = partOf(vault, path);
  try {
    await vault.store.rename(path, aside);
    if (equalBytes(await vault.store.get(aside), dead)) await vault.store.remove(aside);
    else await vault.store.rename(aside, path);
  } catch (error) {
    // Somebody was quicker, also with what lies aside.
    if (!isError(error, 'NOT_FOUND')) throw error;
  }
}

/** What killed runs left: locks, and parts of placing, renewing or removing one. Of a live run, a part is made again. */
async function removeLeft(vault: Vault, mine: Owner, isMeant: (name: string) => boolean): Promise<void> {
  for (const name of (await vault.store.list('locks')).filter(isMeant)) {
    const path = `locks/${name}`;
    const found = await readLock(vault, path);
    if (!found) continue;
    const { owner, bytes } = found;
    const isPart = name.includes('.');
    if (owner ? !(await isDead(owner, mine)) : !isPart) continue;
    await (isPart ? vault.store.remove(path) : removeDead(vault, path, bytes));
  }
}

/** Surely; where its process cannot be looked for, nobody knows. */
async function isDead(owner: Owner, mine: Owner): Promise<boolean> {
  if (!sharesPids(owner, mine)) return false;
  return !(await isRunning(owner)) || (owner.pid === mine.pid && !held.has(owner.token));
}

/** A missed heartbeat costs at worst that another run does the same work; a lock that was taken over is not ours to renew. */
async function beat(vault: Vault, path: string, mine: Owner): Promise<void> {
  const part = partOf(vault, path);
  try {
    if (!(await isMine(vault, path, mine))) return;
    mine.beat++;
    await writeObject(vault.store, part, sealOwner(vault, mine));
    await vault.store.rename(part, path);
  } catch {
    await vault.store.remove(part).catch(() => undefined);
  }
}

/** A lock that stays is a dead one from now on: no reason to call a finished run failed. */
async function release(vault: Vault, path: string, mine: Owner): Promise<void> {
  try {
    if (await isMine(vault, path, mine)) await vault.store.remove(path);
  } catch {}
}

async function isMine(vault: Vault, path: string, { token }: Owner): Promise<boolean> {
  return (await readLock(vault, path))?.owner?.token === token;
}

function lockPath(vault: Vault, item: string): string {
  return vault.config.singleWriter ? 'locks/vault' : `locks/${vault.nameHash('item', item)}`;
}

function partOf(vault: Vault, path: string): string {
  return `${path}.${toHex(vault.random.bytes(4))}`;
}

function sealOwner(vault: Vault, owner: Owner): Uint8Array {
  return sealLock(vault, new TextEncoder().encode(JSON.stringify(owner)));
}

/** undefined: no lock any more. */
async function readLock(vault: Vault, path: string): Promise<FoundLock | undefined> {
  let bytes: Uint8Array | undefined;
  try {
    bytes = await vault.store.get(path);
    return { bytes, owner: JSON.parse(new TextDecoder().decode(unsealLock(vault, bytes, path))) as Owner };
  } catch (error) {
    if (isError(error, 'NOT_FOUND')) return undefined;
    if (bytes && (isError(error, 'VAULT_DAMAGED', 'VAULT_NEWER') || error instanceof SyntaxError)) {
      return { bytes, owner: null };
    }
    throw error;
  }
}

function locked({ config }: Vault, item: string, { owner }: FoundLock): VhdvaultError {
  const who = owner ? describe(owner) : 'unknown';
  const what = config.singleWriter
    ? `the vault, which takes one writer at a time, is being written by another run (${who})`
    : isName(item)
      ? `${item} is being backed up by another run (${who})`
      : `a gc or a repair is at work (${who})`;
  return new VhdvaultError('ITEM_LOCKED', what, {
    hint: 'wait for it to end; if its process is gone, the next run takes the lock over by itself',
    details: {
      item,
      host: owner?.host ?? '',
      pid: owner?.pid ?? 0,
      since: new Date(owner?.since ?? 0).toISOString(),
    },
  });
}

function describe({ pid, host, since }: Owner): string {
  return `process ${pid} on ${host}, since ${new Date(since).toISOString()}`;
}
