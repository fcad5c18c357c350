import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ioError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import type { Random } from '../base/random.ts';

/** A vault's own folder of the cache. */
export interface CacheFolder {
  path: string;
  /** Made for this run: it goes with it. */
  temporary: boolean;
}

/** The cache saves time only: where it cannot be made or written, a temporary folder serves. */
export async function openCacheFolder(
  path: string,
  random: Random,
  notice: (text: string) => void,
): Promise<CacheFolder> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await makeRooms(path);
    await probe(path, random);
    return { path, temporary: false };
  } catch (error) {
    notice(`no cache in ${path} (${(error as Error).message}): a temporary one is used`);
  }
  try {
    const temporary = await mkdtemp(join(tmpdir(), 'vhdvault-'));
    await makeRooms(temporary);
    return { path: temporary, temporary: true };
  } catch (error) {
    throw ioError(error, 'making a temporary cache in', tmpdir());
  }
}

async function makeRooms(path: string): Promise<void> {
  for (const room of ['jobs', 'tables']) await mkdir(join(path, room), { recursive: true });
}

/** A folder that is there may still be read-only, or on a full disk. */
async function probe(path: string, random: Random): Promise<void> {
  const file = join(path, `.probe-${toHex(random.bytes(6))}`);
  try {
    await writeFile(file, new Uint8Array(4096), { flag: 'wx' });
  } finally {
    await rm(file, { force: true });
  }
}
