import { basename, extname, resolve } from 'node:path';
import { VhdvaultError } from '../base/errors.ts';
import { checkName } from '../base/names.ts';
import type { FileAddress } from '../disk/address.ts';
import type { NamedDisk } from '../jobs/types.ts';

const NAMED = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})=(.*)$/s;

export interface DiskArgumentOptions {
  cwd: string;
  format?: 'vhd' | 'raw' | undefined;
  parentRoots?: readonly string[] | undefined;
}

/**
 * Reads `ADDRESS` and `NAME=ADDRESS` arguments. What stands before a `=` is a name only if it could be one, so that
 * `./a=b.vhd` is a path.
 * @throws DISK_NAME when two disks get the same name, or no name can be made from a path
 */
export function parseDiskArguments(texts: readonly string[], options: DiskArgumentOptions): NamedDisk[] {
  const disks = new Map<string, NamedDisk>();
  for (const text of texts) {
    const disk = parseDiskArgument(text, options);
    const twin = disks.get(disk.name);
    if (twin) {
      throw new VhdvaultError(
        'DISK_NAME',
        `two disks are named "${disk.name}": ${twin.address.path} and ${disk.address.path}`,
        {
          hint: `give one of them another name: NAME=${disk.address.path}`,
          details: { name: disk.name, path: disk.address.path },
        },
      );
    }
    disks.set(disk.name, disk);
  }
  return [...disks.values()];
}

function parseDiskArgument(text: string, options: DiskArgumentOptions): NamedDisk {
  const named = NAMED.exec(text);
  const path = named ? named[2]! : text;
  if (path === '') {
    throw new VhdvaultError('USAGE', `"${text}" names no disk`, {
      hint: 'write a disk as PATH or NAME=PATH',
      details: { argument: text },
    });
  }
  const address: FileAddress = { kind: 'file', path: resolve(options.cwd, path) };
  if (options.format !== undefined) address.format = options.format;
  if (options.parentRoots !== undefined && options.parentRoots.length > 0) {
    address.parentRoots = options.parentRoots.map((root) => resolve(options.cwd, root));
  }
  return { name: checkName('disk', named ? named[1]! : nameFromPath(path)), address };
}

/** The base name without its ending; what a name may not contain becomes `-`, what it may not begin with is dropped. */
function nameFromPath(path: string): string {
  const stem = basename(path, extname(path));
  const name = stem
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64);
  return name === '' ? stem : name;
}
