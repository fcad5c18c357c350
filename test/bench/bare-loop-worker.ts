import { createCipheriv, randomBytes } from 'node:crypto';
import { closeSync, fsync, openSync, readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { died } from '../../src/base/died.ts';

/** What a thread of the bare loop is given. */
export interface BareInput {
  image: string;
  /** See `barePieces`. */
  pieces: Float64Array;
  /** One word: the next piece that nobody has taken. */
  next: Int32Array;
  codec: 'lz4' | 'zstd';
  /** Where to write; `-N` is put behind it. */
  file: string;
}

export interface BareResult {
  /** Milliseconds by step. */
  steps: Record<string, number>;
  /** Bytes. */
  stored: number;
}

interface Hasher {
  update(bytes: Uint8Array): Hasher;
  digestBuffer(): Buffer;
}

const MIB = 1024 * 1024;
const BLOCK = 128 * 1024;
/** Bytes of a file, as of a pack. */
const PACK = 32 * MIB;
const require = createRequire(import.meta.url);
const lz4 = require('lz4-napi') as typeof import('lz4-napi');
const { Blake3Hasher } = require('@napi-rs/blake-hash') as {
  Blake3Hasher: { new (): Hasher; newKeyed(key: Buffer): Hasher };
};
const ZSTD = { chunkSize: BLOCK + 1024, params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const CODECS = {
  lz4: {
    pack: (raw: Buffer): Buffer => lz4.compressSync(raw),
    open: (packed: Buffer): Buffer => lz4.uncompressSync(packed),
  },
  zstd: {
    pack: (raw: Buffer): Buffer => zstdCompressSync(raw, ZSTD),
    open: (packed: Buffer): Buffer => zstdDecompressSync(packed, { chunkSize: BLOCK, maxOutputLength: BLOCK }),
  },
};

parentPort?.postMessage(await bareShare(workerData as BareInput));

async function bareShare({ image, pieces, next, codec, file }: BareInput): Promise<BareResult> {
  const { steps, lap } = laps();
  const source = openSync(image, 'r');
  const [buffer, zeros, key] = [Buffer.alloc(MIB), Buffer.alloc(BLOCK), randomBytes(32)];
  const output = openOutput(file, lap);
  lap('start');
  for (let n = Atomics.add(next, 0, 1); n * 2 < pieces.length; n = Atomics.add(next, 0, 1)) {
    const length = readSync(source, buffer, 0, pieces[n * 2 + 1] as number, pieces[n * 2] as number);
    lap('read');
    for (let at = 0; at < length; at += BLOCK) {
      const raw = buffer.subarray(at, Math.min(length, at + BLOCK));
      const isZero = raw.equals(zeros.subarray(0, raw.length));
      lap('zero test');
      if (isZero) continue;
      Blake3Hasher.newKeyed(key).update(raw).digestBuffer();
      lap('id');
      const packed = CODECS[codec].pack(raw);
      lap('compress');
      const isWorth = packed.length <= raw.length - raw.length / 32;
      if (isWorth && !CODECS[codec].open(packed).equals(raw)) throw new Error('read back otherwise');
      lap('read-back');
      const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12));
      const sealed = cipher.update(isWorth ? packed : raw);
      cipher.final();
      lap('encrypt');
      died(packed.length + raw.length);
      lap('let go');
      output.add(sealed, cipher.getAuthTag());
    }
  }
  const stored = await output.end();
  lap('durable');
  closeSync(source);
  return { steps, stored };
}

/** Bytes are hashed and written by the megabyte; a full file is made durable while the next one is written. */
function openOutput(
  file: string,
  lap: (step: string) => void,
): { add(...parts: Buffer[]): void; end(): Promise<number> } {
  const pending = Buffer.alloc(MIB + 2 * BLOCK);
  const syncs: Promise<void>[] = [];
  let [length, stored, count, inFile] = [0, 0, 0, 0];
  let handle = openSync(`${file}-0`, 'w');
  let hasher = new Blake3Hasher();
  const flush = (): void => {
    hasher.update(pending.subarray(0, length));
    lap('hash of pack');
    writeSync(handle, pending, 0, length);
    lap('write');
    inFile += length;
    stored += length;
    length = 0;
  };
  const finish = (): void => {
    hasher.digestBuffer();
    const full = handle;
    syncs.push(promisify(fsync)(full).then(() => closeSync(full)));
  };
  return {
    add(...parts) {
      for (const part of parts) length += part.copy(pending, length);
      lap('copy');
      if (length >= MIB) flush();
      if (inFile < PACK) return;
      finish();
      [handle, hasher, inFile] = [openSync(`${file}-${++count}`, 'w'), new Blake3Hasher(), 0];
    },
    async end() {
      flush();
      finish();
      await Promise.all(syncs);
      return stored;
    },
  };
}

function laps(): { steps: Record<string, number>; lap: (step: string) => void } {
  const steps: Record<string, number> = {};
  let last = performance.now();
  return {
    steps,
    lap: (step) => {
      const now = performance.now();
      steps[step] = (steps[step] ?? 0) + now - last;
      last = now;
    },
  };
}
