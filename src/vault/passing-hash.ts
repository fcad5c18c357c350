import { toHex } from '../base/hex.ts';
import { MIB } from '../base/units.ts';
import { createBlake3 } from './crypto/blake3.ts';
import type { PackReader } from './pack/pack-reader.ts';

/** The hash of a pack's bytes, taken while they are read for something else; what was not read so is read at the end. */
export class PassingHash {
  readonly pack: PackReader;
  readonly #hash = createBlake3();
  /** All before it is hashed. */
  #at = 0;

  constructor(pack: PackReader) {
    this.pack = pack;
  }

  /** Reads stored bytes. In the order of the pack, without large gaps, nothing is read twice. @throws VAULT_DAMAGED, IO */
  async readRange(offset: number, target: Uint8Array): Promise<void> {
    await this.pack.readRange(offset, target);
    if (offset > this.#at && offset - this.#at <= MIB) await this.#readTo(offset);
    if (offset !== this.#at) return;
    this.#hash.update(target);
    this.#at += target.byteLength;
  }

  /** BLAKE3-256, hex: the name that the pack should have. @throws IO */
  async end(): Promise<string> {
    await this.#readTo(this.pack.size);
    return toHex(this.#hash.digest());
  }

  async #readTo(end: number): Promise<void> {
    const memory = Buffer.allocUnsafe(Math.min(MIB, end - this.#at));
    while (this.#at < end) {
      const part = memory.subarray(0, end - this.#at);
      await this.pack.readRange(this.#at, part);
      this.#hash.update(part);
      this.#at += part.byteLength;
    }
  }
}
