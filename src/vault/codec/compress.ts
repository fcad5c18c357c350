import { createRequire } from 'node:module';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { asBuffer } from '../../base/hex.ts';

export const CODECS = { none: 0, lz4: 1, zstd: 2 } as const;
export type Codec = keyof typeof CODECS;

type Lz4 = Pick<typeof import('lz4-napi'), 'compressSync' | 'uncompressSync'>;
let loaded: Lz4 | undefined;

/** Loaded when first needed: most commands open no block. */
function lz4(): Lz4 {
  loaded ??= createRequire(import.meta.url)('lz4-napi') as Lz4;
  return loaded;
}

const ZSTD = { [constants.ZSTD_c_compressionLevel]: 1 };
/** What zstd adds at most to bytes that it cannot compress, and more. */
const ZSTD_SLACK = 1024;
/** Node takes no smaller one. */
const LEAST_CHUNK = 64;

/** Raw bytes -> payload and the codec that was worth it: `none` where less than 1/32 is saved. */
export function compress(codec: Codec, raw: Uint8Array): { codec: Codec; payload: Uint8Array } {
  if (codec === 'none') return { codec, payload: raw };
  const payload = codec === 'lz4' ? lz4().compressSync(asBuffer(raw)) : zstdCompress(raw);
  return payload.byteLength > raw.byteLength - raw.byteLength / 32
    ? { codec: 'none', payload: raw }
    : { codec, payload };
}

/** Into one piece of memory: Node would take 16 KiB at a time, and join them. */
function zstdCompress(raw: Uint8Array): Uint8Array {
  return zstdCompressSync(raw, { params: ZSTD, chunkSize: raw.byteLength + (raw.byteLength >> 7) + ZSTD_SLACK });
}

/** Payload -> raw bytes, or undefined when it is not `rawLength` bytes of that codec. Never allocates more than that. */
export function decompress(codec: number, payload: Uint8Array, rawLength: number): Uint8Array | undefined {
  try {
    const raw = decode(codec, payload, rawLength);
    return raw?.byteLength === rawLength ? raw : undefined;
  } catch {
    return undefined;
  }
}

function decode(codec: number, payload: Uint8Array, rawLength: number): Uint8Array | undefined {
  switch (codec) {
    case CODECS.none:
      return payload;
    case CODECS.lz4:
      // The length in front is what the library allocates: checked before it is trusted.
      if (payload.byteLength < 4 || asBuffer(payload).readUInt32LE(0) !== rawLength) return undefined;
      return lz4().uncompressSync(payload);
    case CODECS.zstd:
      return zstdDecompressSync(payload, { maxOutputLength: rawLength, chunkSize: Math.max(rawLength, LEAST_CHUNK) });
    default:
      return undefined;
  }
}
