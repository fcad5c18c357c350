import { createCipheriv, createDecipheriv, createSecretKey, timingSafeEqual } from 'node:crypto';
import { TAG_SIZE } from '../codec/object-header.ts';
import { blake3 } from './blake3.ts';

/** Seals and unseals the parts of one object under that object's own key. */
export interface Sealer {
  /** Bytes -> sealed bytes, 16 longer. No (domain, counter) may be used twice for one object. */
  seal(domain: number, counter: number, associated: Uint8Array, bytes: Uint8Array): Uint8Array[];
  /** Sealed bytes -> bytes, or undefined when they are not authentic. */
  unseal(domain: number, counter: number, associated: Uint8Array, sealed: Uint8Array): Uint8Array | undefined;
}

export const DOMAIN_BODY = 0;
export const DOMAIN_DIRECTORY = 1;

export function createSealer(key: Uint8Array, encrypted: boolean): Sealer {
  return encrypted ? gcmSealer(key) : macSealer(key);
}

/** Key per object and counter as nonce: no nonce repeats, whatever crashes or is cloned (kopia and borg kept state for this). */
function gcmSealer(bytes: Uint8Array): Sealer {
  // Taken apart once: of plain bytes each cipher would, which takes as long as to seal a small block.
  const key = createSecretKey(bytes);
  return {
    seal(domain, counter, associated, bytes) {
      const cipher = createCipheriv('aes-256-gcm', key, nonceOf(domain, counter));
      cipher.setAAD(associated);
      const sealed = cipher.update(bytes);
      cipher.final();
      return [sealed, cipher.getAuthTag()];
    },
    unseal(domain, counter, associated, sealed) {
      if (sealed.byteLength < TAG_SIZE) return undefined;
      const end = sealed.byteLength - TAG_SIZE;
      const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(domain, counter), { authTagLength: TAG_SIZE });
      decipher.setAAD(associated);
      decipher.setAuthTag(sealed.subarray(end));
      const bytes = decipher.update(sealed.subarray(0, end));
      try {
        decipher.final();
        return bytes;
      } catch {
        return undefined;
      }
    },
  };
}

/** Without encryption the tag is a MAC under a public key: it finds damage, not malice. */
function macSealer(key: Uint8Array): Sealer {
  const tag = (domain: number, counter: number, associated: Uint8Array, bytes: Uint8Array): Uint8Array => {
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, BigInt(associated.byteLength), true);
    return blake3(Buffer.concat([nonceOf(domain, counter), length, associated, bytes]), key).subarray(0, TAG_SIZE);
  };
  return {
    seal: (domain, counter, associated, bytes) => [bytes, tag(domain, counter, associated, bytes)],
    unseal(domain, counter, associated, sealed) {
      if (sealed.byteLength < TAG_SIZE) return undefined;
      const bytes = sealed.subarray(0, sealed.byteLength - TAG_SIZE);
      const expected = tag(domain, counter, associated, bytes);
      return timingSafeEqual(expected, sealed.subarray(bytes.byteLength)) ? bytes : undefined;
    },
  };
}

function nonceOf(domain: number, counter: number): Uint8Array {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(0, domain, true);
  view.setBigUint64(4, BigInt(counter), true);
  return nonce;
}
