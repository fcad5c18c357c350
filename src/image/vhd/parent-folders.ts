import { realpath, stat } from 'node:fs/promises';
import { dirname, sep } from 'node:path';
import { ioError, VhdvaultError } from '../../base/errors.ts';
import { quote } from './quote.ts';

/**
 * The folders in which the parents of an image may lie, links resolved: the image's own, and the given roots. An image that
 * was named by a symbolic link has two folders of its own: that of the file, where its chain was made, and that of the link,
 * which the user named. Folders of links between these two do not count: nobody named them.
 * @throws USAGE when a root is no folder; NOT_FOUND, NO_PERMISSION, IO
 */
export async function allowedFolders(image: string, parentRoots: readonly string[]): Promise<string[]> {
  return [...new Set([...(await foldersOf(image)), ...(await Promise.all(parentRoots.map(rootFolder)))])];
}

/** Links resolved: the folder of the file, then that of the name. */
export async function foldersOf(path: string): Promise<string[]> {
  const [file, name] = await Promise.all([realpath(path), realpath(dirname(path))]).catch((error: unknown) => {
    throw ioError(error, 'looking for the folder of', path);
  });
  return [...new Set([dirname(file), name])];
}

/** Both without links on the way. A folder is inside of itself. */
export function isInside(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

async function rootFolder(root: string): Promise<string> {
  try {
    const real = await realpath(root);
    if ((await stat(real)).isDirectory()) return real;
  } catch (error) {
    throw ioError(error, 'opening the parent folder', root);
  }
  throw new VhdvaultError('USAGE', `the parent root ${root} is no folder`, {
    hint: `name the folder that the parents lie in: --parent-root ${quote(dirname(root))}`,
    details: { path: root },
  });
}
