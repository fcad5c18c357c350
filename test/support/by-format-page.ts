import { createDecipheriv, createHash, hkdfSync } from 'node:crypto';

/*
 * A second reader of sealed objects, written from FORMAT.md alone, on node:crypto and nothing of ours: it keeps the page
 * and the code honest with each other.
 */
export interface FormatKeys {
  master: Uint8Array;
  family: Uint8Array;
}

/** Object key of an object of `kind` ("entry", ...) whose header is `header`. */
export function objectKeyOf({ master, family }: FormatKeys, kind: string, header: Uint8Array): Buffer {
  const salt = header.subarray(48, 80);
  const purpose = Buffer.concat([Buffer.from(`vhdvault/${kind}/1`), family]);
  return Buffer.from(hkdfSync('sha256', master, salt, purpose, 32));
}

export function commitmentOf({ master, family }: FormatKeys, header: Uint8Array): Buffer {
  const salt = header.subarray(48, 80);
  return Buffer.from(hkdfSync('sha256', master, salt, Buffer.concat([Buffer.from('vhdvault/commit/1'), family]), 16));
}

export function constantKeyOf({ master, family }: FormatKeys, label: string): Buffer {
  return Buffer.from(hkdfSync('sha256', master, family, Buffer.from(`vhdvault/${label}/1`), 32));
}

/** AES-256-GCM, nonce = domain u32 || counter u64, the tag behind. Throws when it is not authentic. */
export function unsealByPage(
  key: Uint8Array,
  sealed: Uint8Array,
  associated: Uint8Array,
  place: { domain?: number; counter?: number } = {},
): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32LE(place.domain ?? 0, 0);
  nonce.writeBigUInt64LE(BigInt(place.counter ?? 0), 4);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce);
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
}

export function sha256Of(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
