import { stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ioError, VhdvaultError } from '../base/errors.ts';
import { systemRandom } from '../base/random.ts';
import { discard, partPath, publishFile } from '../io/atomic-file.ts';

/**
 * Asked before anything is read; who makes the file meanwhile is found when it gets its name.
 * @throws TARGET_EXISTS, TARGET_UNUSABLE, NOT_FOUND
 */
export async function checkPicture(path: string, force: boolean): Promise<void> {
  const folder = dirname(path);
  await stat(folder).catch((error: unknown) => {
    throw ioError(error, 'looking for', folder);
  });
  const there = await stat(path).catch(() => undefined);
  if (there?.isDirectory())
    throw new VhdvaultError('TARGET_UNUSABLE', `${path} is a folder`, { hint: 'name a file', details: { path } });
  if (!there || force) return;
  throw new VhdvaultError('TARGET_EXISTS', `${path} exists`, {
    hint: 'name another file for --svg, or overwrite it with --force',
    details: { path },
  });
}

/** The file is there only when it is whole. @throws TARGET_EXISTS, TARGET_UNUSABLE, NO_SPACE, NO_PERMISSION, IO */
export async function writePicture(path: string, svg: string, force: boolean): Promise<void> {
  const part = partPath(path, systemRandom);
  try {
    await writeFile(part, svg, { flag: 'wx' }).catch((error: unknown) => {
      throw ioError(error, 'writing', path);
    });
    await publishFile(part, path, { force });
  } catch (error) {
    await discard(part).catch(() => undefined);
    throw error;
  }
}
