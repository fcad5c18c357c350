import type { VhdvaultError } from '../../base/errors.ts';
import { toHex } from '../../base/hex.ts';
import { decompress } from '../codec/compress.ts';
import { damaged, HEADER_SIZE, parseObjectHeader } from '../codec/object-header.ts';
import { openObject, type VaultKeys } from '../crypto/keys.ts';
import type { Sealer } from '../crypto/sealer.ts';
import type { Store, StoreReader } from '../store/store.ts';
import { type DirectoryEntry, decodeDirectory, parseTrailer, TRAILER_SIZE } from './directory.ts';
import { unsealFrame } from './frame.ts';

/** In packs/: the first two digits of a pack's name. */
export const PACK_FOLDERS: readonly string[] = Array.from({ length: 256 }, (_, n) => toHex(Uint8Array.of(n)));

export function packPath(name: string): string {
  return `packs/${name.slice(0, 2)}/${name}`;
}

/** Where one block lies in a pack, and what it must be. */
export interface FrameLocation {
  id: Uint8Array;
  offset: number;
  storedLength: number;
  ordinal: number;
  codec: number;
  kind: number;
  rawLength: number;
}

/** An open pack: its header is read and its key derived once. */
export class PackReader implements AsyncDisposable {
  readonly path: string;
  readonly #file: StoreReader;
  readonly #header: Uint8Array;
  readonly #family: Uint8Array;
  readonly #sealer: Sealer;

  /** Use `openPack`. */
  constructor(options: {
    path: string;
    file: StoreReader;
    header: Uint8Array;
    family: Uint8Array;
    sealer: Sealer;
  }) {
    this.path = options.path;
    this.#file = options.file;
    this.#header = options.header;
    this.#family = options.family;
    this.#sealer = options.sealer;
  }

  get size(): number {
    return this.#file.size;
  }
  /** Id of the job that wrote it, hex. */
  get job(): string {
    return toHex(this.#header.subarray(32, 48));
  }

  /** Stored bytes at a position. @throws VAULT_DAMAGED when the pack is shorter */
  async readRange(offset: number, target: Uint8Array): Promise<void> {
    if (offset + target.byteLength > this.#file.size) {
      throw damaged(this.path, `is ${this.#file.size} bytes long, a frame in it ends at ${offset + target.byteLength}`);
    }
    await this.#file.read(offset, target);
  }

  /** Stored frame -> raw block, authentic and of the right length; the id is not computed again here. @throws VAULT_DAMAGED */
  openFrame(location: FrameLocation, stored: Uint8Array): Uint8Array {
    const salt = this.#header.subarray(48, 80);
    const payload = unsealFrame(this.#sealer, { ...location, family: this.#family, salt }, stored);
    const raw = payload && decompress(location.codec, payload, location.rawLength);
    if (raw) return raw;
    throw damaged(this.path, `has a damaged frame ${location.ordinal} at byte ${location.offset}`);
  }

  /** Stored frame -> payload, still compressed. @throws VAULT_DAMAGED */
  openPayload(location: FrameLocation, stored: Uint8Array): Uint8Array {
    const salt = this.#header.subarray(48, 80);
    const payload = unsealFrame(this.#sealer, { ...location, family: this.#family, salt }, stored);
    if (payload) return payload;
    throw damaged(this.path, `has a damaged frame ${location.ordinal} at byte ${location.offset}`);
  }

  /** All frames of the pack, from its own directory. @throws VAULT_DAMAGED */
  async directory(): Promise<DirectoryEntry[]> {
    if (this.#file.size < HEADER_SIZE + TRAILER_SIZE) throw damaged(this.path, 'is too short for a pack');
    const trailer = new Uint8Array(TRAILER_SIZE);
    await this.#file.read(this.#file.size - TRAILER_SIZE, trailer);
    const { offset, length } = parseTrailer(trailer, this.#file.size, this.path);
    const sealed = new Uint8Array(length);
    await this.#file.read(offset, sealed);
    return decodeDirectory({ sealer: this.#sealer, header: this.#header, sealed, end: offset, path: this.path });
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#file[Symbol.asyncDispose]();
  }
}

/** @throws VAULT_DAMAGED when the pack is missing or no pack of this vault */
export async function openPack(store: Store, keys: VaultKeys, path: string): Promise<PackReader> {
  const file = await store.open(path).catch((error: unknown) => {
    if ((error as VhdvaultError).code === 'NOT_FOUND') throw damaged(path, 'is missing');
    throw error;
  });
  try {
    if (file.size < HEADER_SIZE) throw damaged(path, `is ${file.size} bytes long, shorter than any pack`);
    const header = new Uint8Array(HEADER_SIZE);
    await file.read(0, header);
    const parsed = parseObjectHeader(header, 'pack', path);
    const sealer = openObject(keys, parsed, path);
    return new PackReader({ path, file, header, family: keys.family, sealer });
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}
