import { VhdvaultError } from '../base/errors.ts';
import { asBuffer } from '../base/hex.ts';
import { narrow } from '../base/units.ts';

export const MAX_TEXT = 4096;

/** Writes canonical little-endian fields one after the other. */
export class BinaryWriter {
  #parts: Uint8Array[] = [];

  u8(n: number): this {
    return this.bytes(Uint8Array.of(n));
  }
  u16(n: number): this {
    return this.#number(2, (view) => view.setUint16(0, n, true));
  }
  u32(n: number): this {
    return this.#number(4, (view) => view.setUint32(0, n, true));
  }
  u64(n: number): this {
    return this.#number(8, (view) => view.setBigUint64(0, BigInt(n), true));
  }
  bytes(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    return this;
  }
  text(words: string): this {
    const bytes = Buffer.from(words, 'utf8');
    if (bytes.byteLength > MAX_TEXT) {
      throw new VhdvaultError('USAGE', `a text of ${bytes.byteLength} bytes is longer than ${MAX_TEXT}`, {
        hint: 'shorten it',
      });
    }
    return this.u16(bytes.byteLength).bytes(bytes);
  }
  /** u32 length + bytes. */
  blob(bytes: Uint8Array): this {
    return this.u32(bytes.byteLength).bytes(bytes);
  }
  finish(): Uint8Array {
    return Buffer.concat(this.#parts);
  }

  #number(size: number, set: (view: DataView) => void): this {
    const bytes = new Uint8Array(size);
    set(new DataView(bytes.buffer));
    return this.bytes(bytes);
  }
}

/** Reads what BinaryWriter wrote. Every step is bounded by the bytes that are there; `end` refuses what is left over. */
export class BinaryReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #fail: (what: string) => Error;
  #at = 0;

  constructor(bytes: Uint8Array, fail: (what: string) => Error) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#fail = fail;
  }

  get left(): number {
    return this.#bytes.byteLength - this.#at;
  }
  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  u64(): number {
    const n = narrow(this.#view.getBigUint64(this.#take(8), true));
    if (n === undefined) throw this.#fail('holds a number beyond 2^53');
    return n;
  }
  /** A copy, so that a small field does not keep a large object alive. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return Uint8Array.from(this.#bytes.subarray(at, at + length));
  }
  /** Bytes in hex. */
  hex(length: number): string {
    const at = this.#take(length);
    return asBuffer(this.#bytes).toString('hex', at, at + length);
  }
  text(): string {
    const length = this.u16();
    if (length > MAX_TEXT) throw this.#fail(`holds a text of ${length} bytes`);
    const at = this.#take(length);
    return asBuffer(this.#bytes).toString('utf8', at, at + length);
  }
  /** u32 length + bytes. */
  blob(): Uint8Array {
    return this.bytes(this.count(this.u32(), 1));
  }
  /** A count that is followed by at least `each` bytes per element. */
  count(n: number, each: number): number {
    if (n * each > this.left) throw this.#fail(`counts ${n} elements where only ${this.left} bytes are left`);
    return n;
  }
  end(): void {
    if (this.left !== 0) throw this.#fail(`has ${this.left} bytes too many`);
  }

  #take(length: number): number {
    if (length > this.left) throw this.#fail('is cut short');
    const at = this.#at;
    this.#at += length;
    return at;
  }
}
