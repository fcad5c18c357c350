import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { isOfEarlierStart, isRunning, type Owner, sharesPids, thisProcess } from './lock-owner.ts';
import type { VaultSession } from './session.ts';

const PREFIX = 'work-';
const OWNER = 'owner';

/** A folder in the cache for what a command keeps while it works. It goes with the command, or, of one that was killed, with the next. */
export async function withWorkFolder<T>(
  { cache, vault }: VaultSession,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const jobs = join(cache, 'jobs');
  const mine = { ...(await thisProcess()), since: 0, beat: 0, token: '' };
  await removeDead(jobs, mine);
  const folder = join(jobs, `${PREFIX}${toHex(vault.random.bytes(8))}`);
  try {
    await mkdir(folder, { recursive: true });
    // Durable: of a folder that a power cut left without it nobody would know that it is dead.
    await writeFile(join(folder, OWNER), JSON.stringify(mine), { flush: true });
  } catch (error) {
    throw ioError(error, 'making the folder', folder);
  }
  try {
    return await work(folder);
  } finally {
    await removeFolder(folder).catch(() => undefined);
  }
}

/** Of a process that cannot be looked for nobody knows. */
async function removeDead(jobs: string, mine: Owner): Promise<void> {
  for (const name of await readdir(jobs).catch(() => [])) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(jobs, name);
    const owner = await readFile(join(folder, OWNER), 'utf8').then(parseOwner, () => undefined);
    if (owner && (isOfEarlierStart(owner, mine) || (sharesPids(owner, mine) && !(await isRunning(owner)))))
      await removeFolder(folder).catch(() => undefined);
  }
}

/** The owner last: of what cannot be removed now it is known still that its run is dead. */
async function removeFolder(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (name !== OWNER) await rm(join(folder, name), { recursive: true });
  await rm(folder, { recursive: true });
}

function parseOwner(text: string): Owner | undefined {
  try {
    return JSON.parse(text) as Owner;
  } catch {
    return undefined;
  }
}
