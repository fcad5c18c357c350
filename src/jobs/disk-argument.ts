import { basename, extname, resolve } from 'node:path';
import { VhdvaultError } from '../base/errors.ts';
import { checkName } from '../base/names.ts';
import type { FileAddress } from '../disk/address.ts';
import type { DiskArgument, NamedDisk } from './types.ts';

const NAMED = /^([A-Za-z0-9][A-Za-z0-9._-]{0,63})=(.*)$/s;
const HINT = 'write a disk as PATH or NAME=PATH';

export interface DiskArgumentOptions {
  /** Default: the working folder. */
  cwd?: string;
  format?: 'vhd' | 'raw' | undefined;
  parentRoots?: readonly string[] | undefined;
}

/**
 * Reads `PATH` and `NAME=PATH`, and takes disks that have a name and an address as they are, with paths made absolute. What
 * stands before a `=` is a name only if it could be one, so that `./a=b.vhd` is a path.
 * @throws DISK_NAME when two disks get the same name, or no name can be made from a path; USAGE for what is no disk
 */
export function parseDiskArguments(disks: readonly DiskArgument[], options: DiskArgumentOptions = {}): NamedDisk[] {
  if (!Array.isArray(disks)) throw notADisk(disks, 'give the disks as an array');
  const named = new Map<string, NamedDisk>();
  for (const argument of disks as readonly DiskArgument[]) {
    const disk = typeof argument === 'string' ? parseDiskArgument(argument, options) : checkNamedDisk(argument);
    const twin = named.get(disk.name);
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
    named.set(disk.name, disk);
  }
  return [...named.values()];
}

function parseDiskArgument(text: string, options: DiskArgumentOptions): NamedDisk {
  const { cwd = '.', format, parentRoots = [] } = options;
  const named = NAMED.exec(text);
  const path = named ? named[2]! : text;
  if (path === '') throw notADisk(text, HINT);
  const address: FileAddress = { kind: 'file', path: resolve(cwd, path) };
  if (format !== undefined) address.format = format;
  if (parentRoots.length > 0) address.parentRoots = parentRoots.map((root) => resolve(cwd, root));
  return { name: checkName('disk', named ? named[1]! : nameFromPath(path)), address };
}

/** Callers without types may give anything. A later backup may run in another folder, so the path is made absolute. */
function checkNamedDisk(disk: NamedDisk): NamedDisk {
  const { name, address } = (disk ?? {}) as Partial<NamedDisk>;
  if (typeof name !== 'string' || address?.kind !== 'file' || typeof address.path !== 'string' || address.path === '') {
    throw notADisk(disk, `${HINT}, or as { name, address: { kind: 'file', path } }`);
  }
  return { name: checkName('disk', name), address: { ...address, path: resolve(address.path) } };
}

function notADisk(found: unknown, hint: string): VhdvaultError {
  const argument = typeof found === 'string' ? found : (JSON.stringify(found) ?? String(found));
  return new VhdvaultError('USAGE', `${JSON.stringify(argument)} names no disk`, { hint, details: { argument } });
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
