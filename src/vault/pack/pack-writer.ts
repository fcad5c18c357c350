import { died } from '../../base/died.ts';
import { VhdvaultError } from '../../base/errors.ts';
import { toHex } from '../../base/hex.ts';
import type { Random } from '../../base/random.ts';
import { CODECS, type Codec, compress, decompress } from '../codec/compress.ts';
import { HEADER_SIZE, TAG_SIZE } from '../codec/object-header.ts';
import { createBlake3 } from '../crypto/blake3.ts';
import { newObject, type VaultKeys } from '../crypto/keys.ts';
import type { Store } from '../store/store.ts';
import { type DirectoryEntry, decodeDirectory, encodeDirectory, TRAILER_SIZE } from './directory.ts';
import { FRAME_KINDS, type FrameKind, sealFrame } from './frame.ts';

export interface PackOptions {
  store: Store;
  keys: VaultKeys;
  random: Random;
  job: Uint8Array;
  codec: Codec;
  /** `block`: each compressed block is opened and compared before it is sealed (P2); `none` is for benches. */
  readBack: 'block' | 'none';
}

/** A pack that is written, synced and named, still in the staging location. */
export interface FinishedPack {
  name: string;
  size: number;
  /** Where it lies now. */
  path: string;
  entries: DirectoryEntry[];
}

/** Bytes gathered before a write: large enough for the disk, small enough for memory. One fills while the other is written. */
const CHUNK = 1024 * 1024;

/** One pack that grows in the staging location. Append, then finish once. */
export class PackWriter {
  readonly #options: PackOptions;
  readonly #path: string;
  readonly #object: ReturnType<typeof newObject>;
  readonly #hash = createBlake3();
  readonly #entries: DirectoryEntry[] = [];
  #file: Awaited<ReturnType<Store['create']>> | undefined;
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK);
  #other: Buffer = Buffer.allocUnsafeSlow(CHUNK);
  #filled = 0;
  #writing: Promise<void> = Promise.resolve();
  #size = HEADER_SIZE;

  constructor(options: PackOptions, path: string) {
    this.#options = options;
    this.#path = path;
    this.#object = newObject(options.keys, options.random, 'pack', options.job);
    this.#chunk.set(this.#object.header);
    this.#filled = HEADER_SIZE;
  }

  get size(): number {
    return this.#size;
  }
  get frames(): number {
    return this.#entries.length;
  }
  get isFull(): boolean {
    return this.#size >= PACK_TARGET || this.#entries.length >= FRAMES_TARGET;
  }

  /** Compresses, reads back, seals and appends one block; returns its stored length. `raw` may be reused afterwards. */
  async append(kind: FrameKind, id: Uint8Array, raw: Uint8Array): Promise<number> {
    const { codec, payload } = compress(this.#options.codec, raw);
    if (this.#options.readBack === 'block' && codec !== 'none') checkReadBack(codec, payload, raw);
    died(payload.byteLength + raw.byteLength);
    return this.appendPayload(
      { kind: FRAME_KINDS[kind], codec: CODECS[codec], rawLength: raw.byteLength, id },
      payload,
    );
  }

  /** Seals and appends a payload that is compressed already. */
  async appendPayload(
    facts: Pick<DirectoryEntry, 'kind' | 'codec' | 'rawLength' | 'id'>,
    payload: Uint8Array,
  ): Promise<number> {
    const id = facts.id.slice();
    const { family } = this.#options.keys;
    const salt = this.#object.header.subarray(48, 80);
    const parts = sealFrame(
      this.#object.sealer,
      { ...facts, id, family, salt, ordinal: this.#entries.length },
      payload,
    );
    const storedLength = payload.byteLength + TAG_SIZE;
    this.#entries.push({ ...facts, id, offset: this.#size, storedLength });
    this.#size += storedLength;
    await this.#put(parts);
    return storedLength;
  }

  /** Writes directory and trailer, syncs, and names the pack. */
  async finish(): Promise<FinishedPack> {
    const { header, sealer } = this.#object;
    const parts = encodeDirectory(sealer, header, this.#entries);
    const sealed = Buffer.concat(parts.slice(0, -1));
    decodeDirectory({ sealer, header, sealed, end: this.#size, path: this.#path });
    await this.#put([sealed, parts.at(-1) as Uint8Array]);
    this.#size += sealed.byteLength + TRAILER_SIZE;
    await this.#flush();
    await this.#writing;
    await using file = this.#file;
    this.#file = undefined;
    await file?.sync();
    return { name: toHex(this.#hash.digest()), size: this.#size, path: this.#path, entries: this.#entries };
  }

  /** Throws the unfinished pack away. */
  async discard(): Promise<void> {
    await this.#writing.catch(() => undefined);
    await this.#file?.[Symbol.asyncDispose]();
    this.#file = undefined;
    await this.#options.store.remove(this.#path);
  }

  /** Copies the bytes: they may be reused afterwards. */
  async #put(parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      for (let done = 0; done < part.byteLength; ) {
        if (this.#filled === CHUNK) await this.#flush();
        const take = Math.min(part.byteLength - done, CHUNK - this.#filled);
        this.#chunk.set(part.subarray(done, done + take), this.#filled);
        this.#filled += take;
        done += take;
      }
    }
  }

  /** Begins to write what was gathered, once what was gathered before is written. */
  async #flush(): Promise<void> {
    await this.#writing;
    const bytes = this.#chunk.subarray(0, this.#filled);
    [this.#chunk, this.#other] = [this.#other, this.#chunk];
    this.#filled = 0;
    this.#hash.update(bytes);
    this.#file ??= await this.#options.store.create(this.#path);
    this.#writing = this.#file.write([bytes]);
    // What went wrong is thrown by the next one who waits.
    this.#writing.catch(() => undefined);
  }
}

export const PACK_TARGET: number = 32 * 1024 * 1024;
/** A quarter of what the format allows: bounds what a run must remember of packs that are not complete. */
export const FRAMES_TARGET = 4096;

/** Finds errors of the codec and of memory before they reach the vault (restic met both). */
function checkReadBack(codec: Codec, payload: Uint8Array, raw: Uint8Array): void {
  const back = decompress(CODECS[codec], payload, raw.byteLength);
  if (back && Buffer.compare(back, raw) === 0) return;
  throw new VhdvaultError('BUG', `a block does not come back from ${codec} as it went in`, {
    hint: 'test the memory of this machine (memtest86+); nothing was saved of this block',
  });
}
