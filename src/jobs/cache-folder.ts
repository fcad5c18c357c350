import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ioError } from '../base/errors.ts';
import { DAY } from '../base/units.ts';

/** A vault's own folder of the cache. */
export interface CacheFolder {
  path: string;
  /** Made for this run: it goes with it. */
  temporary: boolean;
}

/** The cache saves time only: where it cannot be made or written, a temporary folder serves. `now`: milliseconds since 1970 UTC. */
export async function openCacheFolder(path: string, now: number, notice: (text: string) => void): Promise<CacheFolder> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await makeRooms(path);
    await probe(path);
    await removeOld(path, now);
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

/** Overlays of jobs, checksum tables, source stamps. */
const ROOMS = ['jobs', 'tables', 'sources'];

async function makeRooms(path: string): Promise<void> {
  for (const room of ROOMS) await mkdir(join(path, room), { recursive: true });
}

const LONGEST_RUN = 7 * DAY;

/** What runs that died kept while they worked, and that nobody went on with: gc on another machine may have closed their jobs. */
async function removeOld(path: string, now: number): Promise<void> {
  for (const room of ROOMS) {
    for (const name of await readdir(join(path, room)).catch(() => [])) {
      const file = join(path, room, name);
      // What is kept of a disk has no dot.
      if (room !== 'jobs' && !name.includes('.')) continue;
      const found = await stat(file).catch(() => undefined);
      if (found && now - found.mtimeMs > LONGEST_RUN)
        await rm(file, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

/** A folder that is there may still be read-only, or on a full disk. */
async function probe(path: string): Promise<void> {
  // Always the same name: one that a kill left goes with the next.
  const file = join(path, '.probe');
  try {
    await writeFile(file, new Uint8Array(4096));
  } finally {
    await rm(file, { force: true });
  }
}
