import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError, systemCode } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import type { Random } from '../base/random.ts';
import { isOfEarlierStart, isRunning, type Owner, sharesPids, thisProcess } from './lock-owner.ts';
import type { VaultSession } from './session.ts';

const PREFIX = 'work-';
const FRESH = 'new-';
const OWNER = 'owner';
const MOST_TRIES = 10;

/** A folder in the cache for what a command keeps while it works. It goes with the command, or, of one that was killed, with the next. */
export async function withWorkFolder<T>(
  { cache, vault }: VaultSession,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const jobs = join(cache, 'jobs');
  const mine = { ...(await thisProcess()), since: 0, beat: 0, token: '' };
  await removeDead(jobs, mine);
  const folder = await makeFolder(jobs, mine, vault.random);
  try {
    return await work(folder);
  } finally {
    await removeFolder(folder).catch(() => undefined);
  }
}

/** It has its name only with the owner in it: of one without, nobody would know that it is dead. Until then anybody may remove it. */
async function makeFolder(jobs: string, owner: Owner, random: Random): Promise<string> {
  for (let tries = 1; ; tries++) {
    const name = toHex(random.bytes(8));
    const [fresh, folder] = [join(jobs, `${FRESH}${name}`), join(jobs, `${PREFIX}${name}`)];
    try {
      await mkdir(fresh, { recursive: true });
      await writeFile(join(fresh, OWNER), JSON.stringify(owner), { flush: true });
      await rename(fresh, folder);
      await access(join(folder, OWNER));
      return folder;
    } catch (error) {
      if (systemCode(error) === 'ENOENT' && tries < MOST_TRIES) continue;
      await rm(fresh, { recursive: true, force: true }).catch(() => undefined);
      throw ioError(error, 'making the folder', fresh);
    }
  }
}

/** Of a process that cannot be looked for nobody knows. */
async function removeDead(jobs: string, mine: Owner): Promise<void> {
  for (const name of await readdir(jobs).catch(() => [])) {
    const folder = join(jobs, name);
    if (name.startsWith(FRESH) || (name.startsWith(PREFIX) && (await isDead(folder, mine))))
      await removeFolder(folder).catch(() => undefined);
  }
}

/** Whose owner is gone, or torn by a power cut, is dead too. */
async function isDead(folder: string, mine: Owner): Promise<boolean> {
  try {
    const owner = JSON.parse(await readFile(join(folder, OWNER), 'utf8')) as Owner;
    return isOfEarlierStart(owner, mine) || (sharesPids(owner, mine) && !(await isRunning(owner)));
  } catch (error) {
    return error instanceof SyntaxError || systemCode(error) === 'ENOENT';
  }
}

/** The owner last: of what cannot be removed now it is known still that its run is dead. */
async function removeFolder(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (name !== OWNER) await rm(join(folder, name), { recursive: true });
  await rm(folder, { recursive: true });
}
