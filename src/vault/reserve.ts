import { createCipheriv } from 'node:crypto';
import { sha256 } from '@noble/hashes/sha2.js';
import { throwIfAborted } from '../base/abort.ts';
import { died } from '../base/died.ts';
import { equalBytes } from '../base/hex.ts';
import { MIB } from '../base/units.ts';
import type { Store } from './open-store.ts';
import { type Trouble, troubleOf, wrongBytes, wrongSize } from './trouble.ts';

export const RESERVE_PATH = 'reserve';

/** Incompressible, so that the space is really taken, and known, so that verify can check it. */
export async function writeReserve(store: Store, size: number, path: string = RESERVE_PATH): Promise<void> {
  await using file = await store.create(path);
  for (const part of contentOf(size)) await file.write([part]);
  await file.sync();
}

/** Compares every byte with the formula, a little at a time; undefined where all is right. */
export async function checkReserve(
  store: Store,
  size: number,
  { signal, onBytes }: { signal?: AbortSignal | undefined; onBytes?: (bytes: number) => void } = {},
): Promise<Trouble | undefined> {
  try {
    const found = await store.size(RESERVE_PATH);
    if (found !== size) {
      if (found === undefined && size === 0) return undefined;
      return await wrongSize(store, RESERVE_PATH, found, `, expected ${size}`);
    }
    await using file = await store.open(RESERVE_PATH);
    const chunk = Buffer.allocUnsafe(Math.min(size, MIB));
    let at = 0;
    for (const expected of contentOf(size)) {
      throwIfAborted(signal);
      const part = chunk.subarray(0, expected.byteLength);
      await file.read(at, part);
      if (!equalBytes(part, expected)) return wrongBytes(`does not hold what it must from byte ${at} on`);
      at += part.byteLength;
      onBytes?.(part.byteLength);
    }
    return undefined;
  } catch (error) {
    return troubleOf(error, RESERVE_PATH);
  }
}

function* contentOf(size: number): Generator<Uint8Array> {
  const key = sha256(new TextEncoder().encode('vhdvault/reserve/1'));
  const stream = createCipheriv('aes-256-ctr', key, new Uint8Array(16));
  const zeros = new Uint8Array(Math.min(size, MIB));
  for (let done = 0; done < size; done += zeros.byteLength) {
    yield stream.update(zeros.subarray(0, Math.min(zeros.byteLength, size - done)));
    died(zeros.byteLength);
  }
}
