import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex } from '../base/hex.ts';
import { entryHash, logEntryPath, sequenceName, type Vault } from '../vault/vault.ts';

/** Two checkpoints, by the older one of which every vault still opens, are so many entries apart; what lies before is passed over. */
const KEPT = 64;

/**
 * Keeps a copy of the newest entries of the log, sealed as they are, so that repair can put back one that is damaged in the vault.
 * Named by number and hash: a copy of an entry that was set aside does no harm.
 */
export async function keepEntries(folder: string, vault: Vault): Promise<void> {
  const { store, state, damage, random } = vault;
  if (damage) return;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const there = new Set(await readdir(folder));
  for (const [sequence, hash] of [...state.hashes]) {
    const name = nameOf(sequence, hash);
    if (sequence === 0 || sequence <= state.sequence - KEPT || there.delete(name)) continue;
    const stored = await store.get(logEntryPath(sequence));
    if (nameOf(sequence, entryHash(stored)) !== name) continue;
    // Of a run that is killed a part stays, for so long as a copy would.
    const part = `${name}.${toHex(random.bytes(4))}`;
    await writeFile(join(folder, part), stored, { flush: true });
    await rename(join(folder, part), join(folder, name));
  }
  const oldest = sequenceName(Math.max(1, state.sequence - KEPT + 1));
  for (const name of there) if (name < oldest) await rm(join(folder, name), { force: true });
}

/** The copies of an entry that are there; nothing in them is checked. */
export async function keptEntries(folder: string, sequence: number): Promise<Uint8Array[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith(`${sequenceName(sequence)}-`));
  const found: Uint8Array[] = [];
  for (const name of names) {
    const stored = await readFile(join(folder, name)).catch(() => undefined);
    if (stored) found.push(new Uint8Array(stored));
  }
  return found;
}

function nameOf(sequence: number, hash: Uint8Array): string {
  return `${sequenceName(sequence)}-${toHex(hash).slice(0, 16)}`;
}
