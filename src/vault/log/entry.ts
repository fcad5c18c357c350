import { sha256 } from '@noble/hashes/sha2.js';
import { isError, VhdvaultError } from '../../base/errors.ts';
import { equalBytes, fromHex, toHex } from '../../base/hex.ts';
import type { Random } from '../../base/random.ts';
import { BinaryReader, BinaryWriter } from '../binary.ts';
import { damaged, HEADER_SIZE, newer, type ObjectHeader, parseObjectHeader } from '../codec/object-header.ts';
import { newObject, openObject, type VaultKeys } from '../crypto/keys.ts';
import { DOMAIN_BODY } from '../crypto/sealer.ts';

/*
 * Log entry (FORMAT.md): header 96 | sequence u64 | hash of the entry before 32 | nonce 16 | sealed body
 */
const BODY_AT: number = HEADER_SIZE + 8 + 32 + 16;
export const MAX_ENTRY: number = 1024 * 1024;

/** A segment that an entry adds to the index, and how many packs of how many bytes it covers. */
export interface Adds {
  segment: string;
  size: number;
  packs: number;
  bytes: number;
}

export type EntryBody =
  | { type: 'init'; vaultHash: Uint8Array; slots: { name: string; hash: string }[]; certificateSeed: Uint8Array }
  | { type: 'open'; verb: number }
  | { type: 'point'; point: string; adds: Adds[]; manifest: Uint8Array }
  | { type: 'abandon'; job: string }
  /** What became known of a point after it was made; opaque here. */
  | { type: 'label'; point: string; label: Uint8Array }
  /** Of a type that this version does not know and may pass over. */
  | { type: 'advisory' };

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

const TYPES = { init: 1, open: 2, point: 3, abandon: 4, advisory: 10, label: 18 } as const;
/** Whoever does not know these may pass them over. */
const ADVISORY: readonly EntryBody['type'][] = ['advisory', 'label'];

export function logPath(sequence: number): string {
  return `log/${String(sequence).padStart(20, '0')}`;
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
  const { header, sealer } = newObject(keys, random, 'entry', fromHex(entry.job), !ADVISORY.includes(entry.body.type));
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

/** Of the vault's own format, or damaged: a flipped bit there must not pass for a newer version (L6). */
function parseEntryHeader(stored: Uint8Array, path: string): ObjectHeader {
  try {
    return parseObjectHeader(stored, 'entry', path);
  } catch (error) {
    throw isError(error, 'VAULT_NEWER') ? damaged(path, 'has a header of another format than its vault') : error;
  }
}

/** The writer's nonce: tells whether an entry that appeared is one's own. */
export function nonceOf(stored: Uint8Array): Uint8Array {
  return stored.subarray(BODY_AT - 16, BODY_AT);
}

function encodeBody({ body, time, tool, clockDoubted }: LogEntry): Uint8Array {
  const plain = new BinaryWriter()
    .u8(TYPES[body.type])
    .u8(clockDoubted ? 1 : 0)
    .u64(time)
    .text(tool);
  switch (body.type) {
    case 'init':
      plain.bytes(body.vaultHash).u8(body.slots.length);
      for (const { name, hash } of body.slots) plain.text(name).bytes(fromHex(hash));
      return plain.bytes(body.certificateSeed).finish();
    case 'open':
      return plain.u8(body.verb).finish();
    case 'point':
      plain.bytes(fromHex(body.point)).u16(body.adds.length);
      for (const { segment, size, packs, bytes } of body.adds)
        plain.bytes(fromHex(segment)).u64(size).u32(packs).u64(bytes);
      return plain.u32(body.manifest.byteLength).bytes(body.manifest).finish();
    case 'abandon':
      return plain.bytes(fromHex(body.job)).finish();
    case 'label':
      plain.bytes(fromHex(body.point)).u32(body.label.byteLength);
      return plain.bytes(body.label).finish();
    case 'advisory':
      return plain.finish();
    default:
      return body satisfies never;
  }
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
  reader.end();
  return { time, tool, clockDoubted: flags === 1, body };
}

function decodeFields(reader: BinaryReader, type: number): EntryBody | undefined {
  switch (type) {
    case TYPES.init: {
      const vaultHash = reader.bytes(32);
      const slots = Array.from({ length: reader.u8() }, () => ({ name: reader.text(), hash: toHex(reader.bytes(32)) }));
      return { type: 'init', vaultHash, slots, certificateSeed: reader.bytes(32) };
    }
    case TYPES.open:
      return { type: 'open', verb: reader.u8() };
    case TYPES.point: {
      const point = toHex(reader.bytes(8));
      const adds = Array.from({ length: reader.count(reader.u16(), 52) }, () => ({
        segment: toHex(reader.bytes(32)),
        size: reader.u64(),
        packs: reader.u32(),
        bytes: reader.u64(),
      }));
      return { type: 'point', point, adds, manifest: reader.bytes(reader.count(reader.u32(), 1)) };
    }
    case TYPES.abandon:
      return { type: 'abandon', job: toHex(reader.bytes(16)) };
    case TYPES.label:
      return {
        type: 'label',
        point: toHex(reader.bytes(8)),
        label: reader.bytes(reader.count(reader.u32(), 1)),
      };
    default:
      return undefined;
  }
}
