import { lstat, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ioError, VhdvaultError } from '../base/errors.ts';
import { systemRandom } from '../base/random.ts';
import { discard, partPath, publishFile, refuseOther } from '../io/atomic-file.ts';
import { isThere } from '../io/is-there.ts';
import { canLock, lockImage, lockTarget } from './image-lock.ts';

/** What may be replaced, and what never. */
export interface TargetOptions {
  force: boolean;
  sources: readonly { path: string }[];
}

/** A new image that nobody else writes at the same time. Nothing is left of one that is not published. */
export interface ClaimedTarget extends AsyncDisposable {
  /** Where it is written until it is whole. */
  part: string;
  /** Gives it its name, durably. @throws TARGET_EXISTS, TARGET_UNUSABLE, NO_SPACE, NO_PERMISSION, IO */
  publish(): Promise<void>;
}

/**
 * Takes a place for a new image, and clears what somebody left there who was killed.
 * @throws TARGET_EXISTS, TARGET_UNUSABLE where it is one of the `sources`, IMAGE_LOCKED, NOT_FOUND, NO_PERMISSION, IO
 */
export async function claimTarget(path: string, options: TargetOptions): Promise<ClaimedTarget> {
  await using locks = new AsyncDisposableStack();
  locks.use(await lockTarget(path));
  // The lock is ours, so a part of this name was left.
  const part = partPath(path, canLock ? undefined : systemRandom);
  await discard(part);
  await checkTarget(path, options);
  // Whoever is writing to what is replaced would write on, into nothing.
  if (await isThere(path)) locks.use(await lockImage(path));
  // Why there is no image is told before.
  locks.defer(() => discard(part).catch(() => {}));
  const held = locks.move();
  return {
    part,
    publish: () => publishFile(part, path, { force: options.force }),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** Its folder is there, and nothing that must not be replaced. */
async function checkTarget(path: string, options: TargetOptions): Promise<void> {
  const folder = dirname(path);
  await stat(folder).catch((error: unknown) => {
    throw ioError(error, 'opening the folder', folder);
  });
  if (!(await lstat(path).catch(() => null))) return;
  const there = await stat(path, { bigint: true }).catch(() => null);
  for (const source of options.sources) {
    const stats = await stat(source.path, { bigint: true }).catch(() => null);
    if (there && stats && there.dev === stats.dev && there.ino === stats.ino) {
      throw new VhdvaultError('TARGET_UNUSABLE', `${path} is the source itself, or one of its parents`, {
        hint: 'name another target',
        details: { path },
      });
    }
  }
  if (options.force) return await refuseOther(path);
  throw new VhdvaultError('TARGET_EXISTS', `${path} exists`, {
    hint: 'name another target, or overwrite it with --force',
    details: { path },
  });
}
