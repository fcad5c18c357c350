import { sha256 } from '@noble/hashes/sha2.js';
import { isError, VhdvaultError } from '../base/errors.ts';
import { equalBytes } from '../base/hex.ts';
import { CONFIG_PATH, parseConfig, type VaultConfig } from '../vault/config.ts';
import { placeOf, type Store } from '../vault/open-store.ts';
import { readFirstEntry } from '../vault/raw-log.ts';
import type { CommonFacts } from '../vault/raw-object.ts';
import { type Trouble, troubleOf } from '../vault/trouble.ts';

/** What scrub holds the files of a vault against. */
export interface ScrubBasis {
  /** undefined where vault.json is lost or damaged: the rest can be scrubbed all the same. */
  config: VaultConfig | undefined;
  vaultHash: Uint8Array | undefined;
  facts: CommonFacts | undefined;
  /** Of vault.json. */
  trouble: Trouble | undefined;
}

/**
 * Reads vault.json, and the first entry of the log, which tells in clear what vault.json must be.
 * @throws VAULT_MISSING, VAULT_NEWER
 */
export async function readBasis(store: Store): Promise<ScrubBasis> {
  const first = await readFirstEntry(store);
  const found = await readConfig(store);
  if (found.isMissing && !first && !(await hasLog(store))) throw noVault(store);
  const { config, vaultHash, trouble } = found;
  const isAsLogged = first && vaultHash && equalBytes(first.vaultHash, vaultHash);
  const facts = config && (isAsLogged || !first) ? config : first?.facts;
  return { config, vaultHash, facts: facts && { family: facts.family, encrypted: facts.encrypted }, trouble };
}

async function readConfig(store: Store): Promise<Omit<ScrubBasis, 'facts'> & { isMissing: boolean }> {
  try {
    const stored = await store.get(CONFIG_PATH);
    const config = parseConfig(stored);
    return { config, vaultHash: sha256(stored), trouble: undefined, isMissing: false };
  } catch (error) {
    if (isError(error, 'VAULT_NEWER')) throw error;
    const trouble = troubleOf(error, CONFIG_PATH);
    return { config: undefined, vaultHash: undefined, trouble, isMissing: isError(error, 'NOT_FOUND') };
  }
}

async function hasLog(store: Store): Promise<boolean> {
  // No folder at all: a file, perhaps.
  const names = await store.list('.').catch((error: unknown): string[] => {
    troubleOf(error, '.');
    return [];
  });
  return names.includes('log');
}

function noVault(store: Store): VhdvaultError {
  return new VhdvaultError('VAULT_MISSING', `there is no vault at ${placeOf(store)}`, {
    hint: 'check the address',
    details: { path: placeOf(store) },
  });
}
