import { sha256 } from '@noble/hashes/sha2.js';
import { isError, VhdvaultError } from '../../base/errors.ts';
import { equalBytes, fromHex, toHex } from '../../base/hex.ts';
import type { Random } from '../../base/random.ts';
import { BinaryReader, BinaryWriter } from '../binary.ts';
import { damaged, HEADER_SIZE, newer, type ObjectHeader, parseObjectHeader } from '../codec/object-header.ts';
import { newObject, openObject, type VaultKeys } from '../crypto/keys.ts';
import { DOMAIN_BODY } from '../crypto/sealer.ts';
import { decodeFields, type EntryBody, encodeFields, isCritical, typeNumber } from './entry-body.ts';
import { sequenceName } from './sequence.ts';
import { checkFeature } from './state.ts';

/*
 * Log entry (FORMAT.md): header 96 | sequence u64 | hash of the entry before 32 | nonce 16 | sealed body
 */
const BODY_AT: number = HEADER_SIZE + 8 + 32 + 16;
export const MAX_ENTRY: number = 1024 * 1024;

export type { Adds, EntryBody, Slot } from './entry-body.ts';

/** One commit of the history. Jobs and hashes are hex. */
export interface LogEntry {
  sequence: number;
  job: string;
  /** Milliseconds since 1970 UTC; never before the entry before (L7). */
  time: number;
  tool: string;
  clockDoubted: boolean;
  body: EntryBody;
}

export function logPath(sequence: number): string {
  return `log/${sequenceName(sequence)}`;
}

export function hashOf(stored: Uint8Array): Uint8Array {
  return sha256(stored);
}

/** @throws USAGE when the entry is too long */
export function encodeEntry(
  keys: VaultKeys,
  random: Random,
  previous: Uint8Array,
  entry: LogEntry,
): { bytes: Uint8Array; nonce: Uint8Array } {
  const { header, sealer } = newObject(keys, random, 'entry', fromHex(entry.job), isCritical(entry.body));
  const nonce = random.bytes(16);
  const clear = new BinaryWriter().bytes(header).u64(entry.sequence).bytes(previous).bytes(nonce).finish();
  const bytes = Buffer.concat([clear, ...sealer.seal(DOMAIN_BODY, 0, clear, encodeBody(entry))]);
  if (bytes.byteLength > MAX_ENTRY) {
    throw new VhdvaultError('USAGE', `a log entry of ${bytes.byteLength} bytes is longer than ${MAX_ENTRY}`, {
      hint: 'use fewer disks in one item, or a shorter note and fewer tags',
    });
  }
  return { bytes, nonce };
}

/**
 * Opens the stored entry that should be number `sequence` after an entry with hash `previous`.
 * @throws VAULT_DAMAGED, VAULT_NEWER, VAULT_KEY_WRONG
 */
export function decodeEntry(keys: VaultKeys, stored: Uint8Array, sequence: number, previous: Uint8Array): LogEntry {
  const path = logPath(sequence);
  const header = parseEntryHeader(stored, path);
  if (stored.byteLength < BODY_AT || stored.byteLength > MAX_ENTRY)
    throw damaged(path, `is ${stored.byteLength} bytes long`);
  const clear = stored.subarray(0, BODY_AT);
  const fields = new BinaryReader(clear.subarray(HEADER_SIZE), (what) => damaged(path, what));
  if (fields.u64() !== sequence) throw damaged(path, 'has another sequence than its name');
  if (!equalBytes(fields.bytes(32), previous)) throw damaged(path, 'does not follow the entry before it');
  const body = openObject(keys, header, path).unseal(DOMAIN_BODY, 0, clear, stored.subarray(BODY_AT));
  if (!body) throw damaged(path, 'is not authentic');
  return { sequence, job: toHex(header.job), ...decodeBody(body, path, header.critical) };
}

/** Whether somebody with the key wrote it as entry `sequence`, after the one with the hash `previous` or whatever it follows. */
export function isAuthentic(
  keys: VaultKeys,
  stored: Uint8Array,
  sequence: number,
  previous: Uint8Array = previousOf(stored),
): boolean {
  try {
    decodeEntry(keys, stored, sequence, previous);
    return true;
  } catch (error) {
    if (isError(error, 'VAULT_NEWER')) return true;
    if (isError(error, 'VAULT_DAMAGED')) return false;
    throw error;
  }
}

/** Of the vault's own format, or damaged: a flipped bit there must not pass for a newer version (L6). */
function parseEntryHeader(stored: Uint8Array, path: string): ObjectHeader {
  try {
    return parseObjectHeader(stored, 'entry', path);
  } catch (error) {
    throw isError(error, 'VAULT_NEWER') ? damaged(path, 'has a header of another format than its vault') : error;
  }
}

/** The hash that a stored entry tells of the entry before it; to be believed as far as its own hash is. */
export function previousOf(stored: Uint8Array): Uint8Array {
  return stored.slice(BODY_AT - 48, BODY_AT - 16);
}

/** The writer's nonce: tells whether an entry that appeared is one's own. */
export function nonceOf(stored: Uint8Array): Uint8Array {
  return stored.subarray(BODY_AT - 16, BODY_AT);
}

function encodeBody({ body, time, tool, clockDoubted }: LogEntry): Uint8Array {
  const plain = new BinaryWriter()
    .u8(typeNumber(body))
    .u8(clockDoubted ? 1 : 0)
    .u64(time)
    .text(tool);
  return encodeFields(plain, body).finish();
}

function decodeBody(bytes: Uint8Array, path: string, critical: boolean): Omit<LogEntry, 'sequence' | 'job'> {
  const reader = new BinaryReader(bytes, (what) => damaged(path, what));
  const type = reader.u8();
  const flags = reader.u8();
  const time = reader.u64();
  const tool = reader.text();
  const body = decodeFields(reader, type);
  if (!body && !critical) return { time, tool, clockDoubted: flags === 1, body: { type: 'advisory' } };
  if (!body || flags > 1) throw newer(`${path} is a log entry of type ${type}`, path);
  if (body.type === 'feature') checkFeature(body.name, path);
  reader.end();
  return { time, tool, clockDoubted: flags === 1, body };
}
