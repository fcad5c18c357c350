import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ioError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { TOOL } from '../base/version.ts';
import type { Generation } from '../disk/disk.ts';
import type { Vault } from '../vault/vault.ts';

/*
 * Source stamps (FORMAT.md): which files the latest point of a disk was read from, beside its checksum table. A keyed hash of
 * all, then a line of JSON. By them a block may go unread, so they count only if nobody without the key has written them, and
 * for the very point that they tell. Paths and stamps are kept as keyed hashes: the cache tells no names.
 */
export interface SourceStamps {
  /** Id of the point, hex, and root of the disk's map in it. */
  point: string;
  root: string;
  /** One per file of the chain, the image first. */
  files: readonly string[];
  /** When the run began that made the point, and the one that read the whole disk last: milliseconds since 1970 UTC. */
  made: number;
  wholeAt: number;
}

/** Whose stamps they are. */
export interface StampedDisk {
  item: string;
  disk: string;
}

/** What tells files of one moment from those of any other; none where one of them tells no times. */
export function stampsOfFiles(vault: Vault, generation: readonly Generation[]): string[] {
  if (generation.some(({ timeless }) => timeless)) return [];
  return generation.map(({ path, stamp }) => vault.nameHash('source file', resolve(path), stamp));
}

/** Undefined where there are none, or none of this vault, disk and version: a newer one may read an image otherwise. */
export async function readSourceStamps(
  vault: Vault,
  path: string,
  disk: StampedDisk,
): Promise<SourceStamps | undefined> {
  const stored = await readFile(path, 'utf8').catch(() => '');
  const [hash, text] = stored.split('\n');
  if (text === undefined || hash !== hashOf(vault, disk, text)) return undefined;
  return JSON.parse(text) as SourceStamps;
}

/** Whole, or not at all. @throws NO_SPACE, NO_PERMISSION, IO */
export async function writeSourceStamps(
  vault: Vault,
  path: string,
  disk: StampedDisk,
  stamps: SourceStamps,
): Promise<void> {
  const text = JSON.stringify(stamps);
  // With a dot, as all in that folder that goes when it is old.
  const part = `${path}.${toHex(vault.random.bytes(4))}`;
  try {
    await writeFile(part, `${hashOf(vault, disk, text)}\n${text}\n`, { flush: true });
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined);
    throw ioError(error, 'writing', path);
  }
}

function hashOf(vault: Vault, { item, disk }: StampedDisk, text: string): string {
  return vault.nameHash('source stamps', TOOL, vault.id, item, disk, text);
}
