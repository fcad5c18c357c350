import { throwIfAborted } from '../base/abort.ts';
import { PACK_FOLDERS } from '../vault/block-writer.ts';
import { CONFIG_PATH } from '../vault/config.ts';
import { FOLDERS } from '../vault/create-vault.ts';
import type { Store } from '../vault/open-store.ts';
import { RESERVE_PATH } from '../vault/reserve.ts';
import { type Trouble, troubleOf, wrongBytes } from '../vault/trouble.ts';

/** The names of all files of a vault, by what they claim to be. Listings: they propose, and prove nothing. */
export interface Survey {
  /** Names of packs, segments and lists: the hashes of their bytes. */
  packs: string[];
  segments: string[];
  lists: string[];
  slots: string[];
  /** Numbers. */
  checkpoints: number[];
  locks: string[];
  /** Names in staging/ and quarantine/, and parts of locks: whatever they are. */
  staging: string[];
  quarantine: string[];
  lockParts: string[];
  /** Paths of what has no business where it lies. */
  strangers: string[];
  /** Folders that every vault has from the beginning. */
  missingFolders: string[];
  /** Folders that cannot be listed. */
  troubles: (Trouble & { path: string })[];
}

/** Of a folder. */
export const DEAD_LINK = 'is a symbolic link that leads nowhere';

type NamesIn = Exclude<keyof Survey, 'checkpoints' | 'troubles'>;

const HASH = /^[0-9a-f]{64}$/;
const NUMBER = /^\d{20}$/;

/** Which names belong into a folder, and where they go; what fits none is a stranger. */
const BELONGS: readonly { folder: string; fits: RegExp; to: NamesIn }[] = [
  { folder: 'keys', fits: /^[0-9a-f]{16}$/, to: 'slots' },
  { folder: 'index', fits: HASH, to: 'segments' },
  { folder: 'lists', fits: HASH, to: 'lists' },
  { folder: 'locks', fits: /^([0-9a-f]{32}|vault)$/, to: 'locks' },
  { folder: 'locks', fits: /^([0-9a-f]{32}|vault)\.[0-9a-f]+$/, to: 'lockParts' },
  { folder: 'staging', fits: /./, to: 'staging' },
  { folder: 'quarantine', fits: /./, to: 'quarantine' },
];

/** Lists every folder of a vault. The entries of the log are read by their numbers: only what lies between them is looked for. */
export async function survey(store: Store, signal?: AbortSignal): Promise<Survey> {
  const found: Survey = {
    ...{ packs: [], segments: [], lists: [], slots: [], checkpoints: [], locks: [], staging: [], quarantine: [] },
    ...{ lockParts: [], strangers: [], missingFolders: [], troubles: [] },
  };
  const list = async (folder: string): Promise<string[]> => {
    throwIfAborted(signal);
    try {
      return await store.list(folder);
    } catch (error) {
      const trouble = (await noFolder(store, folder)) ?? troubleOf(error, folder);
      found.troubles.push({ ...trouble, path: folder });
      return [];
    }
  };
  const root = await list('.');
  await surveyLinks(store, root, found);
  found.strangers.push(...root.filter((name) => ![...FOLDERS, RESERVE_PATH, CONFIG_PATH].includes(name)));
  for (const folder of [...new Set(BELONGS.map(({ folder }) => folder))]) sort(found, folder, await list(folder));
  const notANumber = (names: string[]): string[] => names.filter((name) => !isNumber(name));
  found.strangers.push(...notANumber(await list('log')).map((name) => `log/${name}`));
  const checkpoints = await list('ckpt');
  found.checkpoints = checkpoints.filter(isNumber).map(Number);
  found.strangers.push(...notANumber(checkpoints).map((name) => `ckpt/${name}`));
  const packFolders = await surveyPacks(found, list);
  if (store.address.kind === 'folder' && found.troubles.length === 0)
    found.missingFolders = await missing(store, root, packFolders);
  return found;
}

/** A link that leads nowhere is listed, and lists nothing. */
async function surveyLinks(store: Store, root: readonly string[], found: Survey): Promise<void> {
  // A store in memory has no folders of their own: they come and go with what is in them.
  if (store.address.kind !== 'folder') return;
  for (const path of FOLDERS.filter((folder) => root.includes(folder))) {
    if ((await store.kind(path)) !== undefined) continue;
    found.troubles.push({ ...wrongBytes(DEAD_LINK), path });
  }
}

async function noFolder(store: Store, path: string): Promise<Trouble | undefined> {
  const kind = await store.kind(path).catch(() => undefined);
  return kind === 'file' || kind === 'other' ? wrongBytes('is no folder: a file lies in its place') : undefined;
}

function sort(found: Survey, folder: string, names: readonly string[]): void {
  const places = BELONGS.filter((place) => place.folder === folder);
  for (const name of names) {
    const place = places.find(({ fits }) => fits.test(name));
    if (place) found[place.to].push(name);
    else found.strangers.push(`${folder}/${name}`);
  }
}

/** Returns the folders that are there. */
async function surveyPacks(found: Survey, list: (folder: string) => Promise<string[]>): Promise<string[]> {
  const folders = await list('packs');
  for (const folder of folders) {
    if (!PACK_FOLDERS.includes(folder)) {
      found.strangers.push(`packs/${folder}`);
      continue;
    }
    for (const name of await list(`packs/${folder}`)) {
      if (HASH.test(name) && name.startsWith(folder)) found.packs.push(name);
      else found.strangers.push(`packs/${folder}/${name}`);
    }
  }
  return folders;
}

/** Copying tools leave empty folders out, and whoever writes counts on them. */
async function missing(store: Store, root: readonly string[], packFolders: readonly string[]): Promise<string[]> {
  const unlisted = FOLDERS.filter((folder) => !root.includes(folder));
  const inRoot = await notThere(store, unlisted);
  if (inRoot.includes('packs')) return inRoot;
  const inPacks = PACK_FOLDERS.filter((folder) => !packFolders.includes(folder)).map((folder) => `packs/${folder}`);
  return [...inRoot, ...(await notThere(store, inPacks))];
}

async function notThere(store: Store, paths: readonly string[]): Promise<string[]> {
  const gone: string[] = [];
  for (const path of paths) if ((await store.kind(path).catch(() => 'other')) === undefined) gone.push(path);
  return gone;
}

function isNumber(name: string): boolean {
  return NUMBER.test(name) && Number.isSafeInteger(Number(name));
}
