import { createHash } from 'node:crypto';
import { link, lstat, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ioError, systemCode, VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import type { Random } from '../base/random.ts';
import { syncFolder } from './folder.ts';

/**
 * A name for the unfinished file, hidden beside its target, so that publishing stays within one file system. Without `random`
 * always the same one, for those who have locked the target.
 */
export function partPath(target: string, random?: Random): string {
  const whole = basename(target);
  // File names end at 255 bytes: a long one is cut, so that the part always fits where the target does.
  const name = Buffer.from(whole).subarray(0, 200).toString('utf8').replace(/�+$/, '');
  const own = random?.bytes(6) ?? createHash('sha256').update(whole).digest().subarray(0, 6);
  return join(dirname(target), `.${name}.${toHex(own)}.part`);
}

/**
 * Gives a finished part its name, durably: the file, then the name. Without `force` an existing target is never replaced,
 * not even one that appears in this moment.
 * @throws TARGET_EXISTS, TARGET_UNUSABLE, NO_SPACE, NO_PERMISSION, IO; the part is then still there
 */
export async function publishFile(part: string, target: string, options: { force?: boolean } = {}): Promise<void> {
  await syncFile(part);
  if (options.force) await replace(part, target);
  else await place(part, target);
  await syncFolder(dirname(target));
}

/** Removes a part that will not be published; one that is gone already is fine. */
export async function discard(part: string): Promise<void> {
  await rm(part, { force: true }).catch((error: unknown) => {
    throw ioError(error, 'removing', part);
  });
}

/** Its content, size and times. `r` where the file must not be written to; not every system lets one sync through that. */
export async function syncFile(path: string, flags: 'r' | 'r+' = 'r+'): Promise<void> {
  const handle = await open(path, flags).catch((error: unknown) => {
    throw ioError(error, 'opening', path);
  });
  try {
    await handle.sync();
  } catch (error) {
    throw ioError(error, 'syncing', path);
  } finally {
    await handle.close();
  }
}

/** link(2) fails when the name exists, which rename(2) does not. */
async function place(part: string, target: string): Promise<void> {
  try {
    await link(part, target);
  } catch (error) {
    const system = systemCode(error);
    if (system === 'EEXIST') throw exists(target, error);
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(system ?? '')) {
      throw ioError(error, 'naming', target);
    }
    // File systems without links (FAT, some network mounts): looked up just before, the best that they allow.
    if (await lstat(target).catch(() => null)) throw exists(target, error);
    return await replace(part, target);
  }
  // The target is there and whole: a second name that stays goes with the next run.
  await discard(part).catch(() => undefined);
}

/**
 * Only files (and links, themselves) are replaced: renaming over `/dev/sdb` would replace the node, as root without a word.
 * @throws TARGET_UNUSABLE
 */
export async function refuseOther(target: string): Promise<void> {
  const there = await lstat(target).catch(() => null);
  if (!there || there.isFile() || there.isSymbolicLink()) return;
  const kind = there.isDirectory() ? 'a folder' : 'no regular file';
  throw new VhdvaultError('TARGET_UNUSABLE', `${target} is ${kind}`, {
    hint: 'name a file',
    details: { path: target },
  });
}

async function replace(part: string, target: string): Promise<void> {
  await refuseOther(target);
  await rename(part, target).catch((error: unknown) => {
    throw ioError(error, 'naming', target);
  });
}

function exists(target: string, cause: unknown): VhdvaultError {
  return new VhdvaultError('TARGET_EXISTS', `${target} exists`, {
    hint: 'name another target, or overwrite it with --force',
    details: { path: target },
    cause,
  });
}
