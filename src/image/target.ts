import { lstat, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ioError, VhdvaultError } from '../base/errors.ts';

/**
 * Looks whether a file can be written at `path`: its folder is there, and nothing that must not be replaced.
 * @throws TARGET_EXISTS, TARGET_UNUSABLE where it is one of the `sources`, NOT_FOUND, NO_PERMISSION, IO
 */
export async function checkTarget(
  path: string,
  options: { force: boolean; sources: readonly { path: string }[] },
): Promise<void> {
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
  if (options.force) return;
  throw new VhdvaultError('TARGET_EXISTS', `${path} exists`, {
    hint: 'name another target, or overwrite it with --force',
    details: { path },
  });
}
