import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { isError, VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { writeObject } from '../vault/open-store.ts';
import { sealFile, unsealFile } from '../vault/sealed-file.ts';
import type { Vault } from '../vault/vault.ts';

/** Who holds a lock. */
interface Owner {
  host: string;
  pid: number;
  /** Start time of the process, as the kernel tells it; pids are used again. */
  start: string;
  /** Boot id of the host. */
  boot: string;
  since: number;
  beat: number;
  /** Random, one per lock. */
  token: string;
}

/** How often a holder tells that it lives. Elsewhere, two missed ones make it dead. */
const HEARTBEAT = 20_000;

/** Tokens of this process's locks: one of its own that is not here was left behind when it could not be removed. */
const held = new Set<string>();

export interface ItemLock extends AsyncDisposable {
  /** Told when the lock of a dead run was taken over. */
  readonly takenOver: string | undefined;
}

/**
 * Locks an item, so that two runs do not do the same work. It only saves work: no data depends on it. A dead owner on
 * this host is taken over at once, on another after two missed heartbeats.
 * @throws ITEM_LOCKED, telling who holds it and since when
 */
export async function lockItem(vault: Vault, item: string, signal?: AbortSignal): Promise<ItemLock> {
  const path = `locks/${vault.nameHash('item', item)}`;
  const mine: Owner = { ...(await self()), since: vault.clock.now(), beat: 0, token: toHex(vault.random.bytes(8)) };
  held.add(mine.token);
  const takenOver = await takeLock(vault, path, mine, item, signal).catch((error: unknown) => {
    held.delete(mine.token);
    throw error;
  });
  const beating = setInterval(() => void beat(vault, path, mine), HEARTBEAT);
  beating.unref();
  return {
    takenOver,
    async [Symbol.asyncDispose]() {
      clearInterval(beating);
      held.delete(mine.token);
      // A lock that stays is a dead one from now on: no reason to call a finished run failed.
      await vault.store.remove(path).catch(() => undefined);
    },
  };
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
    const holder = await readOwner(vault, path);
    if (holder === undefined) continue;
    if (!(await isDead(vault, path, holder, mine, signal))) throw locked(item, holder);
    takenOver = holder
      ? `the lock of a dead run (${describe(holder)}) was taken over`
      : 'an unreadable lock was taken over';
    await vault.store.remove(path);
  }
  return takenOver;
}

/** Puts the lock there unless one is there: whole under a name of its own, then linked. */
async function place(vault: Vault, path: string, owner: Owner): Promise<boolean> {
  if (vault.config.singleWriter) return placeExclusive(vault, path, owner);
  const part = await writePart(vault, path, owner);
  try {
    return (await vault.store.link(part, path)) === 'linked';
  } finally {
    await vault.store.remove(part);
  }
}

/** Where link(2) is missing: O_EXCL; a torn lock is unreadable and taken over. */
async function placeExclusive(vault: Vault, path: string, owner: Owner): Promise<boolean> {
  try {
    await writeObject(vault.store, path, sealOwner(vault, owner));
    return true;
  } catch (error) {
    if (isError(error, 'TARGET_EXISTS')) return false;
    throw error;
  }
}

function sealOwner(vault: Vault, owner: Owner): Uint8Array {
  return sealFile(vault, 'lock', new TextEncoder().encode(JSON.stringify(owner)));
}

async function beat(vault: Vault, path: string, mine: Owner): Promise<void> {
  mine.beat++;
  try {
    await vault.store.rename(await writePart(vault, path, mine), path);
  } catch {
    // A missed heartbeat costs at worst that another run does the same work.
  }
}

async function writePart(vault: Vault, path: string, owner: Owner): Promise<string> {
  const part = `${path}.${toHex(vault.random.bytes(4))}`;
  await writeObject(vault.store, part, sealOwner(vault, owner));
  return part;
}

/** undefined: no lock any more; null: one that cannot be read. */
async function readOwner(vault: Vault, path: string): Promise<Owner | null | undefined> {
  try {
    return JSON.parse(new TextDecoder().decode(unsealFile(vault, 'lock', await vault.store.get(path), path))) as Owner;
  } catch (error) {
    if (isError(error, 'NOT_FOUND')) return undefined;
    if (isError(error, 'VAULT_DAMAGED', 'VAULT_KEY_WRONG') || error instanceof SyntaxError) return null;
    throw error;
  }
}

async function isDead(
  vault: Vault,
  path: string,
  holder: Owner | null,
  mine: Owner,
  signal?: AbortSignal,
): Promise<boolean> {
  if (holder === null) return true;
  if (holder.host === mine.host) {
    if (holder.boot !== mine.boot || (await startOf(holder.pid)) !== holder.start) return true;
    return holder.pid === mine.pid && !held.has(holder.token);
  }
  await vault.clock.sleep(2 * HEARTBEAT + 5_000, signal);
  const now = await readOwner(vault, path);
  return now !== undefined && now?.beat === holder.beat && now.since === holder.since;
}

function locked(item: string, holder: Owner | null): VhdvaultError {
  return new VhdvaultError(
    'ITEM_LOCKED',
    `${item} is being backed up by another run (${holder ? describe(holder) : 'unknown'})`,
    {
      hint: 'wait for it to end; if its process is gone, the next run takes the lock over by itself',
      details: {
        item,
        host: holder?.host ?? '',
        pid: holder?.pid ?? 0,
        since: new Date(holder?.since ?? 0).toISOString(),
      },
    },
  );
}

function describe({ pid, host, since }: Owner): string {
  return `process ${pid} on ${host}, since ${new Date(since).toISOString()}`;
}

async function self(): Promise<Pick<Owner, 'host' | 'pid' | 'start' | 'boot'>> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => 'unknown');
  return { host: hostname(), pid: process.pid, start: (await startOf(process.pid)) ?? '', boot: boot.trim() };
}

/** Start time of a running process, or undefined when there is none. Field 22 of /proc/PID/stat; elsewhere only whether it lives. */
async function startOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat !== undefined) return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  if (process.platform === 'linux') return undefined;
  try {
    process.kill(pid, 0);
    return 'alive';
  } catch {
    return undefined;
  }
}
