import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import type { Vault } from './vault.ts';

/*
 * What this user saw last of a vault: its head and whether it was encrypted (L5). It lies in the state folder, apart
 * from the cache, since losing it loses the protection against a vault that was put back.
 */
interface SeenHead {
  vault: string;
  encrypted: boolean;
  sequence: number;
  /** Hash of that entry, hex. */
  hash: string;
}

/**
 * Compares the vault with what was seen last, by vault id and by address.
 * @throws VAULT_ROLLED_BACK when it went back, forked, lost its encryption, or another vault stands in its place
 */
export async function checkSeenHead(folder: string, address: string, vault: Vault): Promise<void> {
  const byId = await read(join(folder, `${vault.id}.json`));
  const byAddress = await read(join(folder, addressFile(address)));
  const what =
    byAddress && byAddress.vault !== vault.id
      ? 'is another vault than the one seen here last'
      : difference(byId, vault);
  if (what === undefined) return;
  throw new VhdvaultError('VAULT_ROLLED_BACK', `the vault at ${address} ${what}`, {
    hint: 'if you put back an older copy of it yourself, go on with --accept-rollback; if not, somebody else may have: look before you write to it',
    details: { address, seen: byId?.sequence ?? null, found: vault.state.sequence },
  });
}

/** Remembers the head of now. A state folder that cannot be written is told, not fatal. */
export async function rememberHead(folder: string, address: string, vault: Vault): Promise<string | undefined> {
  // What cannot be read now must not make us forget that it was there: the next look would take its absence for true.
  if (vault.damage) return undefined;
  const { sequence, head } = vault.state;
  const seen: SeenHead = { vault: vault.id, encrypted: vault.config.encrypted, sequence, hash: toHex(head) };
  try {
    await mkdir(folder, { recursive: true });
    for (const name of [`${vault.id}.json`, addressFile(address)])
      await replaceFile(join(folder, name), `${JSON.stringify(seen)}\n`);
    return undefined;
  } catch (error) {
    return `the state folder ${folder} cannot be written (${(error as Error).message}): a vault that is put back would not be noticed`;
  }
}

function difference(seen: SeenHead | undefined, vault: Vault): string | undefined {
  if (!seen) return undefined;
  const { sequence, hashes } = vault.state;
  if (seen.encrypted && !vault.config.encrypted) return 'was encrypted and is not any more';
  // A newest entry that is there and unreadable is damage, not rollback (L6): verify tells.
  if (sequence < seen.sequence)
    return vault.damage ? undefined : `went back from entry ${seen.sequence} to ${sequence}`;
  const hash = hashes[seen.sequence];
  return hash && toHex(hash) === seen.hash ? undefined : `has another history since entry ${seen.sequence}`;
}

function addressFile(address: string): string {
  return `at-${createHash('sha256').update(address).digest('hex').slice(0, 32)}.json`;
}

async function read(path: string): Promise<SeenHead | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as SeenHead;
  } catch {
    return undefined;
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const part = `${path}.${process.pid}.part`;
  {
    await using file = await open(part, 'w');
    await file.writeFile(text);
    await file.sync();
  }
  await rename(part, path);
}
