import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { DAY, HOUR } from '../base/units.ts';
import { readEntry } from './read-log.ts';
import { entryHash, isAuthenticEntry, logEntryPath, previousOfEntry, sequencesIn, type Vault } from './vault.ts';

/*
 * What this user saw last of a vault: its head and whether it was encrypted (L5), and what time it was then (L7). It lies
 * in the state folder, apart from the cache, since losing it loses the protection against a vault that was put back.
 */
interface SeenHead {
  vault: string;
  encrypted: boolean;
  sequence: number;
  /** Hash of that entry, hex. */
  hash: string;
  time?: MachineTime;
}

/** Two clocks of a machine, in milliseconds: the wall clock, which can be set, and that since its start, which cannot. */
export interface MachineTime {
  wall: number;
  /** Which start of the machine; empty where it does not tell. */
  boot: string;
  uptime: number;
}

/** The records of a vault, by its id and by its address. */
export interface SeenHeads {
  byId: SeenHead | undefined;
  byAddress: SeenHead | undefined;
  /** Told when a record is there and cannot be read: that is not "never seen". */
  notice: string | undefined;
}

/** Reads what was seen last. */
export async function readSeenHeads(folder: string, address: string, vault: Vault): Promise<SeenHeads> {
  const byId = await read(join(folder, `${vault.id}.json`));
  const byAddress = await read(join(folder, addressFile(address)));
  const notice =
    byId === 'broken' || byAddress === 'broken'
      ? `the record of the last head seen, in ${folder}, is unreadable: a vault that went back would not be noticed this time`
      : undefined;
  return { byId: known(byId), byAddress: known(byAddress), notice };
}

/**
 * Compares the vault with what was seen last. `copyOf` tells where a copy of an entry lies that this machine kept.
 * @throws VAULT_ROLLED_BACK when it went back, forked, lost its encryption, or another vault stands in its place
 */
export async function checkSeenHead(
  { byId, byAddress }: SeenHeads,
  address: string,
  vault: Vault,
  copyOf: (sequence: number, hash: string) => Promise<string | undefined>,
): Promise<void> {
  const isAnother = byAddress && byAddress.vault !== vault.id;
  const what = isAnother ? 'is another vault than the one seen here last' : await difference(byId, vault);
  if (what === undefined) return;
  // The newest file alone may be lost: whoever puts it back has all again.
  const isNewest = !isAnother && byId?.sequence === vault.state.sequence + 1;
  const copy = isNewest ? await copyOf(byId.sequence, byId.hash) : undefined;
  const back = copy
    ? `; if only the file of its newest entry was lost, copy ${copy} to ${logEntryPath(vault.state.sequence + 1)} in the vault`
    : '';
  throw new VhdvaultError('VAULT_ROLLED_BACK', `the vault at ${address} ${what}`, {
    hint: `if you put back an older copy of it yourself, go on with --accept-rollback; if not, somebody else may have: look before you write to it${back}`,
    details: { address, seen: byId?.sequence ?? null, found: vault.state.sequence },
  });
}

/**
 * Why the wall clock is to be doubted, or undefined (L7): it is more than a day behind the newest entry, or since the
 * last run, in the same start of the machine, it moved a day more than time did.
 */
export function clockDoubt(seen: MachineTime | undefined, now: MachineTime, newestEntry: number): string | undefined {
  const told = `the clock of this machine says ${moment(now.wall)}`;
  if (now.wall < newestEntry - DAY)
    return `${told}, more than a day before the newest entry of the vault (${moment(newestEntry)})`;
  if (!seen || seen.boot === '' || seen.boot !== now.boot) return undefined;
  const jump = now.wall - seen.wall - (now.uptime - seen.uptime);
  return jump > DAY ? `${told}, ${dayText(jump)} more than passed since the last run` : undefined;
}

function dayText(time: number): string {
  const days = Math.floor(time / DAY);
  return days === 1 ? '1 day' : `${days} days`;
}

function moment(wall: number): string {
  return new Date(wall).toISOString();
}

/**
 * Remembers the head and the time of now; `time` is an older one while a doubt about the clock is to last. A state
 * folder that cannot be written is told, not fatal.
 */
export async function rememberHead(options: {
  folder: string;
  address: string;
  vault: Vault;
  time: MachineTime;
}): Promise<string | undefined> {
  const { folder, address, vault, time } = options;
  // What cannot be read now must not make us forget that it was there: the next look would take its absence for true.
  if (vault.damage) return undefined;
  const { sequence, head } = vault.state;
  const seen: SeenHead = { vault: vault.id, encrypted: vault.config.encrypted, sequence, hash: toHex(head), time };
  try {
    // Who wrote the newest entry may not have synced it yet: if it went in a power cut, the vault would seem to have gone back.
    await vault.makeDurable();
    await mkdir(folder, { recursive: true });
    for (const name of [`${vault.id}.json`, addressFile(address)])
      await replaceFile(join(folder, name), `${JSON.stringify(seen)}\n`);
    await removeOldParts(folder, vault.clock.now());
    return undefined;
  } catch (error) {
    return `the state folder ${folder} cannot be written (${(error as Error).message}): a vault that is put back would not be noticed`;
  }
}

async function difference(seen: SeenHead | undefined, vault: Vault): Promise<string | undefined> {
  if (!seen) return undefined;
  // Another run may have added to it since it was read here.
  if (vault.state.sequence < seen.sequence && !vault.damage) await vault.refresh();
  const { sequence, setAside } = vault.state;
  if (seen.encrypted && !vault.config.encrypted) return 'was encrypted and is not any more';
  if (sequence < seen.sequence)
    return vault.damage ? await differenceBehind(seen, vault) : `went back from entry ${seen.sequence} to ${sequence}`;
  const hash = await vault.hashAt(seen.sequence);
  if (hash && toHex(hash) === seen.hash) return undefined;
  // Repair moved it away, for all to know.
  if (setAside.some((entry) => entry.sequence === seen.sequence && entry.hash === seen.hash)) return undefined;
  if (hash) return `has another history since entry ${seen.sequence}`;
  // What lies between is damaged: verify tells.
  return vault.damage
    ? undefined
    : `cannot be compared with entry ${seen.sequence}, seen last: one since then is damaged`;
}

/**
 * Behind damage (L6): what is there and unreadable did not go back, nor what is missing below others: verify tells. But there must
 * be something, and no other history.
 */
async function differenceBehind({ sequence, hash }: SeenHead, { store, keys }: Vault): Promise<string | undefined> {
  const found = await readEntry(store, sequence);
  const isWhole = found?.stored && isAuthenticEntry(keys, found.stored, sequence);
  if (isWhole)
    return toHex(entryHash(found.stored)) === hash ? undefined : `has another entry ${sequence} than the one seen last`;
  if (found) return undefined;
  const listed = sequencesIn(await store.list('log')).filter((n) => n > sequence + 1);
  for (const n of [sequence + 1, ...listed]) {
    const { stored } = (await readEntry(store, n)) ?? {};
    if (!stored || !isAuthenticEntry(keys, stored, n)) continue;
    const isAnother = n === sequence + 1 && toHex(previousOfEntry(stored)) !== hash;
    return isAnother ? `has another history since entry ${sequence}` : undefined;
  }
  return `went back: entry ${sequence}, which was seen last, is not there any more`;
}

function addressFile(address: string): string {
  return `at-${createHash('sha256').update(address).digest('hex').slice(0, 32)}.json`;
}

async function read(path: string): Promise<SeenHead | 'broken' | undefined> {
  try {
    const seen = JSON.parse(await readFile(path, 'utf8')) as unknown;
    return isSeenHead(seen) ? seen : 'broken';
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '') ? undefined : 'broken';
  }
}

function isSeenHead(value: unknown): value is SeenHead {
  const { vault, encrypted, sequence, hash, time } = (value ?? {}) as Partial<SeenHead>;
  const { wall, boot, uptime } = time ?? { wall: 0, boot: '', uptime: 0 };
  return (
    [vault, hash, boot].every((word) => typeof word === 'string') &&
    [sequence, wall, uptime].every((number) => Number.isFinite(number)) &&
    typeof encrypted === 'boolean'
  );
}

function known(record: SeenHead | 'broken' | undefined): SeenHead | undefined {
  return record === 'broken' ? undefined : record;
}

async function replaceFile(path: string, text: string): Promise<void> {
  const part = `${path}.${process.pid}.part`;
  try {
    {
      await using file = await open(part, 'w');
      await file.writeFile(text);
      await file.sync();
    }
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Of runs that were killed: their process is gone, or where that cannot be told, nobody takes an hour for it. */
async function removeOldParts(folder: string, now: number): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = /\.(\d+)\.part$/.exec(name)?.[1];
    if (pid === undefined) continue;
    const found = await stat(join(folder, name)).catch(() => undefined);
    const isDead = process.platform === 'linux' && !(await readFile(`/proc/${pid}/stat`).catch(() => undefined));
    if (found && (isDead || now - found.mtimeMs > HOUR))
      await rm(join(folder, name), { force: true }).catch(() => undefined);
  }
}
