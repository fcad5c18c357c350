import { checksum } from '../../src/image/vhd-parser.ts';
import type { Draw } from './draw.ts';
import type { FuzzFile, FuzzInput } from './input.ts';
import type { Places } from './places.ts';
import type { Seed } from './seeds.ts';

/** An input that is being changed. */
export interface Mutant {
  input: FuzzInput;
  /** The image itself. */
  file: FuzzFile;
  /** Where its structures were before anything was changed. */
  places: Places;
  draw: Draw;
  seeds: readonly Seed[];
  /** Notes what was done. */
  say: (what: string) => void;
}

/** Changes an input, and says how; false where it has not what is to be changed. */
export type Mutation = (mutant: Mutant) => boolean;

/** Bytes over those of the image, clipped to it. */
export function put({ file }: Mutant, at: number, bytes: Uint8Array): void {
  if (at >= 0 && at < file.head.length) file.head.set(bytes.subarray(0, file.head.length - at), at);
}

/** The bytes of the image, cut off where it ends. */
export function take({ file }: Mutant, at: number, length: number): Buffer {
  return Buffer.from(file.head.subarray(Math.max(0, at), Math.max(0, at + length)));
}

/** The image with other bytes. */
export function become({ file }: Mutant, bytes: Buffer): void {
  file.head = bytes;
  file.size = bytes.length;
  file.tail = Buffer.alloc(0);
}

export function numberAt(bytes: Buffer, at: number, length: number): bigint {
  let value = 0n;
  for (let i = 0; i < length; i++) value = (value << 8n) | BigInt(bytes[at + i] ?? 0);
  return value;
}

export function bytesOf(value: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[length - 1 - i] = Number((value >> BigInt(8 * i)) & 0xffn);
  return bytes;
}

/** Makes the checksum of a structure right again. */
export function mend(mutant: Mutant, at: number, structure: 'footer' | 'header'): void {
  const [length, field] = structure === 'footer' ? [512, 64] : [1024, 36];
  const bytes = take(mutant, at, length);
  if (bytes.length < 511) return;
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(checksum(bytes, field));
  put(mutant, at + field, sum);
}

const NUMBERS: readonly bigint[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 255, 511, 512, 513, 1023, 1024, 1536, 2048, 4095, 4096, 8192, 65536],
  ...[2 ** 21, 2 ** 28, 2 ** 29, 0x12345678, 0x40000001, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32],
  ...[0xff000000, 2 ** 40, 2 ** 41, 2 ** 52, Number.MAX_SAFE_INTEGER],
]
  .map(BigInt)
  .concat(2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n);

/** A number that code is often wrong at: powers of two, places and sizes of this very file, the old one and its neighbours. */
export function drawNumber(mutant: Mutant, old: bigint, length: number): bigint {
  const { draw, file, places } = mutant;
  const mask = (1n << BigInt(length * 8)) - 1n;
  const near = BigInt(draw.one([-512, -1, 0, 1, 512]));
  switch (draw.below(5)) {
    case 0:
      return draw.one(NUMBERS) & mask;
    case 1: {
      const at = draw.one([
        file.size,
        places.header ?? 0,
        places.table,
        ...places.footers,
        ...places.blocks.map((b) => b.at),
      ]);
      return (BigInt(draw.percent(50) ? at : Math.floor(at / 512)) + near) & mask;
    }
    case 2:
      return (old + near) & mask;
    case 3:
      return (draw.percent(50) ? old * 2n : old / 2n) & mask;
    default:
      return (old ^ (1n << BigInt(draw.below(length * 8)))) & mask;
  }
}
