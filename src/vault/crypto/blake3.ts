import { createRequire } from 'node:module';
import { blake3 as nobleBlake3 } from '@noble/hashes/blake3.js';

/** A streaming BLAKE3-256. */
export interface Blake3 {
  update(bytes: Uint8Array): void;
  digest(): Uint8Array;
}

interface NativeHasher {
  update(bytes: Uint8Array): NativeHasher;
  digestBuffer(): Buffer;
}
interface Native {
  Blake3Hasher: { new (): NativeHasher; newKeyed(key: Buffer): NativeHasher };
}

let loaded: { native: Native | undefined } | undefined;

/** False on platforms without the binary: the same bytes, about a hundred times slower. */
export function isBlake3Native(): boolean {
  loaded ??= { native: loadNative() };
  return loaded.native !== undefined;
}

export function createBlake3(key?: Uint8Array): Blake3 {
  loaded ??= { native: loadNative() };
  const { native } = loaded;
  return native ? nativeBlake3(native, key) : referenceBlake3(key);
}

/** The reference that the native one is tested against. */
export function referenceBlake3(key?: Uint8Array): Blake3 {
  const hasher = nobleBlake3.create(key ? { key } : {});
  return { update: (bytes) => void hasher.update(bytes), digest: () => hasher.digest() };
}

export function blake3(bytes: Uint8Array, key?: Uint8Array): Uint8Array {
  const hasher = createBlake3(key);
  hasher.update(bytes);
  return hasher.digest();
}

function nativeBlake3({ Blake3Hasher }: Native, key: Uint8Array | undefined): Blake3 {
  const hasher = key ? Blake3Hasher.newKeyed(Buffer.from(key)) : new Blake3Hasher();
  return { update: (bytes) => void hasher.update(bytes), digest: () => hasher.digestBuffer() };
}

function loadNative(): Native | undefined {
  try {
    return createRequire(import.meta.url)('@napi-rs/blake-hash') as Native;
  } catch {
    return undefined;
  }
}
