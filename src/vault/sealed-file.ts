import { equalBytes } from '../base/hex.ts';
import { BinaryWriter } from './binary.ts';
import { damaged, HEADER_SIZE, parseObjectHeader } from './codec/object-header.ts';
import { newObject, openObject } from './crypto/keys.ts';
import { DOMAIN_BODY } from './crypto/sealer.ts';
import type { Vault } from './vault.ts';

/** A lock is one sealed part. */
export function sealLock(vault: Vault, bytes: Uint8Array): Uint8Array {
  const { header, sealer } = newObject(vault.keys, vault.random, 'lock', new Uint8Array(16));
  return Buffer.concat([header, ...sealer.seal(DOMAIN_BODY, 0, header, bytes)]);
}

/** @throws VAULT_DAMAGED, VAULT_KEY_WRONG */
export function unsealLock(vault: Vault, stored: Uint8Array, path: string): Uint8Array {
  const sealer = openObject(vault.keys, parseObjectHeader(stored, 'lock', path), path);
  const bytes = sealer.unseal(DOMAIN_BODY, 0, stored.subarray(0, HEADER_SIZE), stored.subarray(HEADER_SIZE));
  if (!bytes) throw damaged(path, 'is not authentic');
  return bytes;
}

/** The head of a journal and its records, each sealed under its number (FORMAT.md). */
export function sealJournal(vault: Vault, job: Uint8Array, records: readonly Uint8Array[]): Uint8Array {
  const { header, sealer } = newObject(vault.keys, vault.random, 'journal', job);
  const parts = records.flatMap((record, n) => {
    const length = new BinaryWriter().u32(record.byteLength).finish();
    return [length, ...sealer.seal(DOMAIN_BODY, n, Buffer.concat([header, length]), record)];
  });
  return Buffer.concat([header, ...parts]);
}

/** Records of a journal; a torn last one is dropped. @throws VAULT_DAMAGED when not even the head can be read */
export function unsealJournal(vault: Vault, stored: Uint8Array, path: string, job: Uint8Array): Uint8Array[] {
  const parsed = parseObjectHeader(stored, 'journal', path);
  if (!equalBytes(parsed.job, job)) throw damaged(path, 'is of another job');
  const sealer = openObject(vault.keys, parsed, path);
  const header = stored.subarray(0, HEADER_SIZE);
  const records: Uint8Array[] = [];
  for (let at = HEADER_SIZE; at + 20 <= stored.byteLength; ) {
    const length = stored.subarray(at, at + 4);
    const end = at + 4 + Buffer.from(length).readUInt32LE(0) + 16;
    if (end > stored.byteLength) break;
    const record = sealer.unseal(
      DOMAIN_BODY,
      records.length,
      Buffer.concat([header, length]),
      stored.subarray(at + 4, end),
    );
    if (!record) break;
    records.push(record);
    at = end;
  }
  return records;
}
