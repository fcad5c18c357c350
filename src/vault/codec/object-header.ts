import { VhdvaultError } from '../../base/errors.ts';
import { equalBytes } from '../../base/hex.ts';

/*
 * Object header, 96 bytes, in clear (FORMAT.md)
 *   0  8  magic "VHDVAULT"
 *   8  2  format
 *  10  1  kind
 *  11  1  flags: bit 0 encrypted, bit 1 critical
 *  12  4  key epoch
 *  16 16  family id
 *  32 16  job id
 *  48 32  salt
 *  80 16  key commitment
 */
export const HEADER_SIZE = 96;
export const FORMAT = 0;
export const TAG_SIZE = 16;

export const KINDS = {
  entry: 1,
  pack: 2,
  segment: 3,
  list: 4,
  checkpoint: 5,
  journal: 6,
  lock: 7,
  slot: 8,
} as const;
export type ObjectKind = keyof typeof KINDS;

export interface ObjectHeader {
  kind: ObjectKind;
  encrypted: boolean;
  critical: boolean;
  family: Uint8Array;
  job: Uint8Array;
  salt: Uint8Array;
  commitment: Uint8Array;
}

const MAGIC = new TextEncoder().encode('VHDVAULT');
const ENCRYPTED = 1;
const CRITICAL = 2;

export function encodeObjectHeader(header: ObjectHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE);
  bytes.set(MAGIC, 0);
  const view = new DataView(bytes.buffer);
  view.setUint16(8, FORMAT, true);
  view.setUint8(10, KINDS[header.kind]);
  view.setUint8(11, (header.encrypted ? ENCRYPTED : 0) | (header.critical ? CRITICAL : 0));
  bytes.set(header.family, 16);
  bytes.set(header.job, 32);
  bytes.set(header.salt, 48);
  bytes.set(header.commitment, 80);
  return bytes;
}

/**
 * Reads the header of an object that should be of `kind`.
 * @throws VAULT_DAMAGED when it is not one; VAULT_NEWER when a later version wrote it
 */
export function parseObjectHeader(bytes: Uint8Array, kind: ObjectKind, path: string): ObjectHeader {
  if (bytes.byteLength === 0) throw damaged(path, NO_BYTES);
  if (bytes.byteLength < HEADER_SIZE) throw damaged(path, `is ${bytes.byteLength} bytes long, shorter than any object`);
  if (!equalBytes(bytes.subarray(0, 8), MAGIC)) throw damaged(path, 'does not begin with VHDVAULT');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const format = view.getUint16(8, true);
  if (format > FORMAT) throw newer(`${path} has format ${format}, this version knows ${FORMAT}`, path);
  const flags = view.getUint8(11);
  if (view.getUint8(10) !== KINDS[kind])
    throw damaged(path, `is of kind ${view.getUint8(10)}, expected ${KINDS[kind]} (${kind})`);
  if ((flags & ~(ENCRYPTED | CRITICAL)) !== 0 || view.getUint32(12, true) !== 0)
    throw damaged(path, 'has unknown flags or epoch');
  return {
    kind,
    encrypted: (flags & ENCRYPTED) !== 0,
    critical: (flags & CRITICAL) !== 0,
    family: bytes.slice(16, 32),
    job: bytes.slice(32, 48),
    salt: bytes.slice(48, 80),
    commitment: bytes.slice(80, 96),
  };
}

export function damaged(
  path: string,
  what: string,
  hint: string = path.startsWith('index/')
    ? REBUILD
    : 'run `vhdvault verify` to see what is hit; other points stay restorable',
): VhdvaultError {
  return new VhdvaultError('VAULT_DAMAGED', `${path} ${what}`, { hint, details: { path } });
}

/** Of a segment: packs tell themselves what they hold. */
const REBUILD = 'run `vhdvault repair`, which makes the index anew from the packs: nothing is lost by this alone';

/** A store reads none where a folder, a pipe or a device lies. */
export const NO_BYTES = 'has no bytes, it is empty or no file';

/** Of what every other object rests on, and what never changes. */
export const BRING_BACK = 'nothing of the vault can be read without it: bring it back from another copy of this vault';

export function newer(what: string, path: string): VhdvaultError {
  return new VhdvaultError('VAULT_NEWER', `${what}: this vault needs a newer vhdvault`, {
    hint: 'update vhdvault (npm install vhdvault@latest); nothing was changed',
    details: { path },
  });
}
