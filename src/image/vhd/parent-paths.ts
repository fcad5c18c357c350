import { join } from 'node:path';

/** Deeper Windows paths are tried by their last folders only. */
const MOST_PARTS = 12;

/**
 * The paths at which the parent that a locator names may lie here: as it stands, then its last folders and its name in each
 * of `folders` (the child's own first). Pure text: nothing is looked up, and whether a path is allowed is decided later.
 */
export function parentPaths(text: string, folders: readonly string[]): string[] {
  const local = fromFileUrl(text);
  if (local.includes('\0')) return [];
  const windows = local.replace(/^\\\\\?\\(UNC\\)?/, '\\\\').replace(/^[A-Za-z]:/, '\\');
  const parts = windows.split(/[\\/]+/).filter((part) => part !== '' && part !== '.');
  if (parts.length === 0) return [];
  const paths: string[] = [];
  if (local.startsWith('/')) paths.push(join('/', ...parts));
  else if (!windows.startsWith('\\')) paths.push(join(folders[0]!, ...parts));
  const below = parts.slice(parts.lastIndexOf('..') + 1).slice(-MOST_PARTS);
  for (const folder of folders) {
    for (let from = 0; from < below.length; from++) paths.push(join(folder, ...below.slice(from)));
  }
  return [...new Set(paths)];
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
