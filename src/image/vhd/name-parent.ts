import { realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ioError } from '../../base/errors.ts';
import { roundUp, SECTOR } from '../../base/units.ts';
import type { DynamicHeader } from './dynamic-header.ts';
import { encodeLocatorPath, type ParentLocator } from './parent-locator.ts';

/** A path of the parent that a differencing image stores: relative, absolute, or a file URL. */
export type LocatorCode = 'W2ru' | 'W2ku' | 'MacX';

export interface ParentNames {
  /** The image that names its parent. */
  child: string;
  parent: string;
  codes: readonly LocatorCode[];
  /** For W2ku; default the parent's path here. */
  windowsPath?: string | undefined;
}

export interface NamedParent {
  name: string;
  paths: readonly { code: LocatorCode; path: string }[];
}

export type ParentFields = Pick<DynamicHeader, 'parentName' | 'locators'>;

/** All names by which an image can find its parent. Both folders must exist. @throws NOT_FOUND, NO_PERMISSION, IO */
export async function parentNames({ child, parent, codes, windowsPath }: ParentNames): Promise<NamedParent> {
  const [folder, file] = await Promise.all([realpath(dirname(child)), realpath(parent)]).catch((error: unknown) => {
    throw ioError(error, 'looking for', parent);
  });
  const near = relative(folder, file).split(sep).join('\\');
  const texts: Record<LocatorCode, string> = {
    W2ru: near.startsWith('..\\') ? near : `.\\${near}`,
    W2ku: windowsPath ?? file.split(sep).join('\\'),
    MacX: pathToFileURL(file).href,
  };
  return { name: basename(file), paths: codes.map((code) => ({ code, path: texts[code] })) };
}

/**
 * The names as an image stores them, from byte `offset` of the file on. Room is told in bytes, as Windows does, and in whole
 * sectors.
 */
export function layoutNames({ name, paths }: NamedParent, offset: number): { fields: ParentFields; bytes: Uint8Array } {
  const locators: ParentLocator[] = [];
  const parts: Uint8Array[] = [];
  let dataOffset = offset;
  for (const [slot, { code, path }] of paths.entries()) {
    const text = encodeLocatorPath(code, path);
    const part = new Uint8Array(roundUp(text.byteLength, SECTOR));
    part.set(text);
    locators.push({ slot, code, dataSpace: part.byteLength, dataLength: text.byteLength, dataOffset });
    parts.push(part);
    dataOffset += part.byteLength;
  }
  return { fields: { parentName: name, locators }, bytes: Uint8Array.from(Buffer.concat(parts)) };
}

/** What the absolute Windows path of a new parent is, when the old one lay in the same folder; undefined where nobody knows. */
export function siblingPath(windowsPath: string | null | undefined, name: string): string | undefined {
  const folder = /^(.*\\)[^\\]+$/.exec(windowsPath ?? '')?.[1];
  return folder && join(folder, name).replaceAll('/', '\\');
}
