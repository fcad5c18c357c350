import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex } from '../base/hex.ts';
import { entryHash, logEntryPath, sequenceName, type Vault } from '../vault/vault.ts';

/** So many entries are copied: those behind the newest checkpoint, which are needed to open the vault, and some before. */
export const KEPT = 64;

/** Keeps a copy of the newest entries of the log, sealed as they are, so that repair can put back one that is damaged in the vault. */
export async function keepEntries(folder: string, vault: Vault): Promise<void> {
  const { store, state, damage, random } = vault;
  if (damage) return;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const there = new Set(await readdir(folder));
  const oldest = Math.max(1, state.sequence - KEPT + 1);
  for (const [sequence, hash] of [...state.hashes]) {
    const name = nameOf(sequence, toHex(hash));
    if (sequence < oldest || there.delete(name)) continue;
    const stored = await store.get(logEntryPath(sequence));
    if (nameOf(sequence, toHex(entryHash(stored))) !== name) continue;
    // Of a run that is killed a part stays, for so long as a copy would.
    const part = `${sequenceName(sequence)}.${toHex(random.bytes(4))}`;
    await writeFile(join(folder, part), stored, { flush: true });
    await rename(join(folder, part), join(folder, name));
  }
  for (const name of there) if (name < sequenceName(oldest)) await rm(join(folder, name), { force: true });
}

/** The highest number that there is a copy of, or 0. */
export async function newestKept(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  return names.reduce((newest, name) => Math.max(newest, Number(NAME.exec(name)?.[1] ?? 0)), 0);
}

/** The copy of an entry that has this hash. */
export async function keptEntry(folder: string, sequence: number, hash: string): Promise<Uint8Array | undefined> {
  const stored = await readFile(join(folder, nameOf(sequence, hash))).catch(() => undefined);
  return stored && toHex(entryHash(stored)) === hash ? new Uint8Array(stored) : undefined;
}

/** Where the copy of an entry lies that has this hash. */
export async function placeOfCopy(folder: string, sequence: number, hash: string): Promise<string | undefined> {
  return (await keptEntry(folder, sequence, hash)) && join(folder, nameOf(sequence, hash));
}

const NAME = /^(\d{20})-[0-9a-f]{16}$/;

function nameOf(sequence: number, hash: string): string {
  return `${sequenceName(sequence)}-${hash.slice(0, 16)}`;
}
