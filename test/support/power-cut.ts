import { link, open, rename, rm, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ImageAction } from './image-action.ts';
import { logOf } from './traced-run.ts';

/** What a program did to files, in order. */
export type Change =
  | { do: 'write'; path: string; offset: number; bytes: Uint8Array }
  | { do: 'truncate'; path: string; size: number }
  | { do: 'sync'; path: string }
  | { do: 'link' | 'rename'; path: string; to: string }
  | { do: 'unlink'; path: string };

const SECTOR = 512;
const LONGEST = 8 << 20;

/** Runs an action and takes down all that it writes under `folder`. */
export async function recordChanges(action: ImageAction, folder: string): Promise<Change[]> {
  const changes: Change[] = [];
  const ends = new Map<string, number>();
  for (const line of await logOf(action, folder, ['-xx', '-s', `${LONGEST}`])) {
    const change = parseChange(line, folder);
    if (!change) continue;
    changes.push(change);
    if (change.do !== 'write') continue;
    if (change.offset < 0) change.offset = ends.get(change.path) ?? 0;
    ends.set(change.path, change.offset + change.bytes.byteLength);
  }
  return changes;
}

/** All strings are in hex: `14309 pwrite64(23<\x2f\x74>, "\x63\x6f", 2, 0) = 2`. Null: elsewhere. */
function parseChange(line: string, folder: string): Change | null {
  const [, name = '', rest = ''] = /^\d+ +(\w+)\((.*)$/.exec(line) ?? [];
  const strings = [...rest.matchAll(/["<]((?:\\x[0-9a-f]{2})*)[">]/g)].map(([, hex]) => bytesOf(hex!));
  const texts = (): string[] => strings.map((bytes) => bytes.toString());
  const numbers = [...rest.replaceAll(/["<][^">]*[">]/g, '').matchAll(/, (\d+)/g)].map(([, digits]) => Number(digits));
  const path = strings[0]?.toString() ?? '';
  if (path !== folder && !path.startsWith(`${folder}/`)) return null;
  switch (name) {
    case 'pwrite64':
      return { do: 'write', path, offset: numbers[1]!, bytes: strings[1]! };
    case 'ftruncate':
      return { do: 'truncate', path, size: numbers[0]! };
    case 'fsync':
    case 'fdatasync':
      return { do: 'sync', path };
    case 'link':
    case 'rename':
      return { do: name, path, to: texts()[1]! };
    case 'unlink':
      return { do: 'unlink', path };
    case 'write':
      // Without a position: behind what was written before.
      return { do: 'write', path, offset: -1, bytes: strings[1]! };
    default:
      throw new Error(`nobody knows how to do again: ${line.slice(0, 200)}`);
  }
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll('\\x', ''), 'hex');
}

/** What is left of what was not synced: nothing; the last change alone, as if it had overtaken all others; some sectors; all. */
export type Cut = 'none' | 'last' | 'some' | 'all';

/**
 * What is left of changes when the power goes after the first `count` of them: all that was synced; of the other writes any
 * sectors; of what else names and sizes files the first part, since file systems keep these in order.
 */
export function leftAfterCut(changes: readonly Change[], count: number, cut: Cut, random: () => number): Change[] {
  const done = changes.slice(0, count);
  const isSynced = (change: Change, i: number): boolean => {
    const by = ['link', 'rename', 'unlink'].includes(change.do) ? dirname(change.path) : change.path;
    return done.slice(i + 1).some((later) => later.do === 'sync' && later.path === by);
  };
  const isLeft = (i: number): boolean =>
    cut === 'all' || (cut === 'some' && random() < 0.5) || (cut === 'last' && i === done.length - 1);
  let inOrder = true;
  const left: Change[] = [];
  for (const [i, change] of done.entries()) {
    if (change.do === 'sync') continue;
    if (isSynced(change, i)) left.push(change);
    else if (change.do === 'write') left.push(...sectorsOf(change).filter(() => isLeft(i)));
    else if (inOrder && isLeft(i)) left.push(change);
    else inOrder = false;
  }
  return left;
}

function sectorsOf(change: Extract<Change, { do: 'write' }>): Change[] {
  const { path, offset, bytes } = change;
  const parts: Change[] = [];
  for (let at = 0; at < bytes.byteLength; ) {
    const end = Math.min(bytes.byteLength, at + SECTOR - ((offset + at) % SECTOR));
    parts.push({ do: 'write', path, offset: offset + at, bytes: bytes.subarray(at, end) });
    at = end;
  }
  return parts;
}

/** Does to the files under `to` what was done to those under `from`. */
export async function doAgain(changes: readonly Change[], from: string, to: string): Promise<void> {
  const moved = (path: string): string => path.replace(from, to);
  for (const change of changes) {
    const path = moved(change.path);
    switch (change.do) {
      case 'write': {
        await using file = await open(path, 'r+').catch(() => open(path, 'w+'));
        await file.write(change.bytes, 0, change.bytes.byteLength, change.offset);
        break;
      }
      case 'truncate': {
        await (await open(path, 'a')).close();
        await truncate(path, change.size);
        break;
      }
      case 'link':
        await link(path, moved(change.to));
        break;
      case 'rename':
        await rename(path, moved(change.to));
        break;
      case 'unlink':
        await rm(path);
        break;
      case 'sync':
        break;
      default:
        change satisfies never;
    }
  }
}
