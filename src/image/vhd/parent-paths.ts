import { join } from 'node:path';

/** Deeper Windows paths are tried by their last folders only. */
const MOST_PARTS = 12;
/** Linux takes no longer path. */
const MOST_LENGTH = 4096;

export interface PathFolders {
  /** The child's: what relative paths start from. */
  own: readonly string[];
  /** Where else parents may lie. */
  allowed: readonly string[];
}

/**
 * The paths at which the parent that a locator names may lie here: as it stands, then its last folders and its name in each
 * folder, the child's own first. Pure text: nothing is looked up, and whether a path is allowed is decided later.
 */
export function parentPaths(text: string, { own, allowed }: PathFolders): string[] {
  const local = fromFileUrl(text);
  if (local.includes('\0')) return [];
  const windows = local.replace(/^\\\\\?\\(UNC\\)?/i, '\\\\').replace(/^[A-Za-z]:/, '\\');
  const parts = resolved(windows.split(/[\\/]+/));
  const below = parts.filter((part) => part !== '..').slice(-MOST_PARTS);
  if (below.length === 0) return [];
  const paths: string[] = [];
  if (local.startsWith('/')) paths.push(join('/', ...parts));
  else if (!windows.startsWith('\\')) paths.push(...own.map((folder) => join(folder, ...parts)));
  for (const folder of [...own, ...allowed]) {
    for (let from = 0; from < below.length; from++) paths.push(join(folder, ...below.slice(from)));
  }
  return [...new Set(paths)].filter((path) => path.length <= MOST_LENGTH);
}

/** The file's name and its folder's in a locator's path, for messages; empty where there is none. */
export function lastNames(text: string): { name: string; folder: string } {
  const parts = resolved(fromFileUrl(text).split(/[\\/]+/)).filter((part) => part !== '..' && !/[:?]/.test(part));
  return { name: parts.at(-1) ?? '', folder: parts.at(-2) ?? '' };
}

/** Without `.`, and with `..` only at the front: Windows goes up by the text of a path, not by where a link on it leads. */
function resolved(parts: readonly string[]): string[] {
  const out: string[] = [];
  for (const part of parts) {
    if (part === '' || part === '.') continue;
    if (part === '..' && out.length > 0 && out.at(-1) !== '..') out.pop();
    else out.push(part);
  }
  return out;
}

/** `file://localhost/a%20b` -> `/a b`; blktap writes relative ones, `file://./b`. Other text passes unchanged. */
function fromFileUrl(text: string): string {
  const match = /^file:\/\/(localhost)?(.*)$/is.exec(text);
  if (!match) return text;
  try {
    return decodeURIComponent(match[2]!);
  } catch {
    return match[2]!;
  }
}
