import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type ErrorCode, isError, toPlain } from '../../src/base/errors.ts';
import { exitCodeOfError } from '../../src/cli/exit-code.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { openDisk } from '../../src/image/vhd-parser.ts';
import { isThere } from '../../src/io/is-there.ts';
import { gc } from '../../src/jobs/gc-job.ts';
import { openBlocks } from '../../src/jobs/open-blocks.ts';
import { openVault, type VaultSession } from '../../src/jobs/session.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { everyPoint } from '../../src/point/catalog.ts';
import { PointDisk } from '../../src/point/point-disk.ts';
import { openSegment, segmentPath } from '../../src/vault/block-index.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import { openStore } from '../../src/vault/open-store.ts';
import { isPinned, openVault as openStored } from '../../src/vault/vault.ts';
import type { TracedEnd } from './traced-run.ts';
import { optionsOf, perform, SECRET, type VaultAction } from './vault-action.ts';
import { NEW_SECRET, OTHER_SECRET, STAGED, type VaultScene } from './vault-scenes.ts';

/** What a home holds, as its user sees it; null: there is no vault. */
export interface Facts {
  vault: VaultFacts | null;
  /** Restored disks: name to hash of what they read as. */
  files: Record<string, string>;
}

interface VaultFacts {
  /** Id to what there is of it. */
  points: Record<string, PointFacts>;
  minRetention: number;
  /** What opens it. */
  secrets: string[];
}

export interface PointFacts {
  item: string;
  /** Hash of all of its disks; or why they cannot be read. */
  content: string;
  is: 'live' | 'pinned' | 'forgotten';
}

/** What a vault is opened with in turn. */
const SECRETS = [SECRET, OTHER_SECRET, NEW_SECRET];
/** What an error may leave in a point that it hit. */
const UNREADABLE: readonly ErrorCode[] = ['VAULT_DAMAGED', 'NOT_FOUND'];
export const LOST = 'lost';

/** Reads all that is there, by a cache and a state of its own. */
export async function lookAt(home: string, judge: string): Promise<Facts> {
  const files: Record<string, string> = {};
  for (const name of (await readdir(home)).filter((one) => /^restored\.(raw|vhd)$/.test(one)))
    files[name] = await hashOfDisk(await openDisk(join(home, name)));
  if (!(await isThere(join(home, 'vault', 'vault.json')))) return { vault: null, files };
  const secrets: string[] = [];
  for (const passphrase of SECRETS) if (await opens(home, passphrase)) secrets.push(passphrase);
  const folders = { cache: join(judge, 'cache'), state: join(judge, 'state'), acceptRollback: true };
  const options = optionsOf({ home, ...(secrets[0] !== undefined && { passphrase: secrets[0] }) });
  await using session = await openVault(join(home, 'vault'), { ...options, ...folders });
  const minRetention = session.vault.state.protects.at(-1)?.retention ?? 0;
  return { vault: { points: await pointsOf(session), minRetention, secrets }, files };
}

async function opens(home: string, passphrase: string): Promise<boolean> {
  try {
    await openStored(openStore({ kind: 'folder', path: join(home, 'vault') }), { secret: { passphrase } });
    return true;
  } catch (error) {
    const isSlot = isError(error, 'VAULT_DAMAGED') && String(error.details.path).startsWith('keys/');
    if (isSlot || isError(error, 'VAULT_KEY_WRONG')) return false;
    throw error;
  }
}

async function pointsOf(session: VaultSession): Promise<VaultFacts['points']> {
  const { vault } = session;
  const points: VaultFacts['points'] = {};
  for (const { id, manifest, logged } of everyPoint(vault)) {
    const hashes: string[] = [];
    for (const disk of manifest.disks)
      hashes.push(`${disk.name} ${await hashOfDisk(new PointDisk(disk, await openBlocks(session)))}`);
    const is = logged.forgotten ? 'forgotten' : isPinned(logged, vault.clock.now()) ? 'pinned' : 'live';
    points[id] = { item: manifest.item, content: hashes.join(), is };
  }
  return points;
}

/** Closes the disk. */
async function hashOfDisk(opened: Disk): Promise<string> {
  await using disk = opened;
  const bytes = new Uint8Array(disk.size);
  try {
    await disk.read(0, bytes);
  } catch (error) {
    if (isError(error, ...UNREADABLE)) return LOST;
    throw error;
  }
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

/** What is known of a scene: facts before and after it, and what a whole run leaves. */
export interface Known {
  before: Facts;
  after: Facts;
  /** Where a command commits two things, what there is when only the first is done. */
  between?: Facts;
  left: Left;
}

/** How a run says that it ended: an error code, `done`, or `killed`; of a forget whose gc failed that, with `, then `. */
export function tellingOf({ signal, exitCode, stdout, stderr }: TracedEnd): string {
  if (signal !== null) return 'killed';
  let told: { schema?: number; error?: { code: ErrorCode }; gcError?: { code: ErrorCode } | null };
  try {
    told = JSON.parse(stdout) as typeof told;
  } catch {
    throw new Error(`exit ${exitCode} without a document: ${stdout}${stderr}`);
  }
  const { gcError } = told;
  const error = told.error ?? gcError;
  if (told.schema !== 1 || error?.code === 'BUG') throw new Error(`exit ${exitCode}: ${stdout}`);
  const expected = error ? [exitCodeOfError(error.code)] : [0, 3, 13];
  if (!expected.includes(exitCode ?? -1)) throw new Error(`exit ${exitCode}, expected ${expected}: ${stdout}`);
  return gcError ? `forgotten, then ${gcError.code}` : (error?.code ?? 'done');
}

/**
 * The home is as before or as after; the latter where the run said so, and only there, but for commands of many steps. Returns
 * whether it was done.
 */
export async function checkOldOrNew(
  { home, command }: VaultAction,
  { before, after, between }: Known,
  told: string,
): Promise<boolean> {
  const found = await lookAt(home, `${home}/judge`);
  const [isOld, isNew] = [before, after].map((one) => isSame(found, one, before));
  const isBetween = between !== undefined && isSame(found, between, before);
  if (!isOld && !isNew && !isBetween)
    throw new Error(`told as ${told}, and neither old nor new: ${JSON.stringify(found)}`);
  if (told === 'done' && !isNew) throw new Error('it was told to be done, and is as before');
  const isHalfDone = told.includes(', then ');
  if (isHalfDone && isOld) throw new Error(`it was told as ${told}, and is as before`);
  const mayFailLater =
    isHalfDone || ['repair', 'gc'].includes(command.do) || ['done', 'killed', 'OUTCOME_UNKNOWN'].includes(told);
  if ((isNew || isBetween) && !isOld && !mayFailLater) throw new Error(`it was done, and told as ${told}`);
  return isNew === true;
}

/** But for the ids of new points, which chance gives. */
function isSame(one: Facts | undefined, other: Facts, before: Facts): boolean {
  const known = new Set(Object.keys(before.vault?.points ?? {}));
  const plain = (facts: Facts | undefined): unknown => {
    const points = Object.entries(facts?.vault?.points ?? {}).map(([id, point]) => [known.has(id) ? id : '', point]);
    return {
      ...facts,
      vault: facts?.vault && { ...facts.vault, points: points.map((point) => JSON.stringify(point)).sort() },
    };
  };
  return isDeepStrictEqual(plain(one), plain(other));
}

/** The same command again, by whoever comes next, with no unlocking and by the same cache and state. */
export async function checkAgain(
  action: VaultAction,
  { again }: VaultScene,
  known: Known,
  isDone: boolean,
): Promise<void> {
  const { seed: _, ...fresh } = action;
  const problem = await perform(fresh).then(
    () => undefined,
    (error: unknown) => toPlain(error),
  );
  const isRefused = isDone && !['same', 'more'].includes(again);
  if (
    problem?.code !== (isRefused ? again : undefined) &&
    !(isDeepStrictEqual(known.before, known.after) && problem?.code === again)
  )
    throw new Error(`done again: ${problem?.code ?? 'done'} ${problem?.message ?? ''}`);
  const found = await lookAt(action.home, `${action.home}/judge`);
  const expected = shapeOf(known.after);
  if (isDone && again === 'more') expected.push(...added(known));
  if (!isDeepStrictEqual(shapeOf(found).toSorted(), expected.toSorted()))
    throw new Error(`after it was done again: ${JSON.stringify(found)}`);
}

/** What there is, but for the names that chance gave. */
function shapeOf({ vault, files }: Facts): string[] {
  return [
    ...Object.values(vault?.points ?? {}).map(({ item, content, is }) => `${item} ${content} ${is}`),
    ...(vault?.secrets ?? []),
    `${vault?.minRetention}`,
    ...Object.entries(files).map(([name, hash]) => `${name} ${hash}`),
  ];
}

function added({ before, after }: Known): string[] {
  const rest = shapeOf(before);
  return shapeOf(after).filter((one) => {
    const at = rest.indexOf(one);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
}

/** What lies about in the end. */
export interface Left {
  /** What gc refuses for. */
  gc: string;
  /** That verify finds. */
  damage: string[];
  /** Files that nothing needs. */
  names: string[];
}

/** After all is done, and gc with it, nothing is found but what a run that nobody interrupts leaves. */
export async function checkLeft({ home, command }: VaultAction, { left }: Known): Promise<void> {
  const found = await whatIsLeft(home);
  const told = ({ names, ...rest }: Left): Left => ({
    ...rest,
    names: names.filter((name) => command.do !== 'repair' || !MOVED_ASIDE.test(name)),
  });
  if (!isDeepStrictEqual(told(found), told(left))) throw new Error(`left in the end: ${JSON.stringify(found)}`);
}

/** By the cache and the state that the runs before used. */
export async function whatIsLeft(home: string): Promise<Left> {
  await using session = await openByAny(home);
  const refused = await gc(session, { grace: 0, softDelete: 0 }).then(() => '', codeOf);
  return {
    gc: refused,
    damage: await damageIn(session),
    names: await strayNames(session, home),
  };
}

async function openByAny(home: string): Promise<VaultSession> {
  const passphrase = (await opens(home, SECRET)) ? SECRET : NEW_SECRET;
  return await openVault(join(home, 'vault'), optionsOf({ home, passphrase }));
}

async function damageIn(session: VaultSession): Promise<string[]> {
  const { findings } = await verify(session, { readData: true });
  return findings
    .filter(({ severity, code }) => severity === 'damage' || code === 'FOLDER')
    .map(({ code, where }) => `${code} ${where}`);
}

function codeOf(error: unknown): ErrorCode {
  if (isError(error)) return error.code;
  throw error;
}

/**
 * After a write that was told to be done and was not: points are whole or cannot be read, never wrong, and where something is
 * missing the run said so, or the vault is refused, or verify finds damage. Returns who noticed.
 */
export async function checkLost(home: string, { before, after, between, left }: Known, told: string): Promise<string> {
  let found: Facts | undefined;
  let damage: string[];
  try {
    found = await lookAt(home, `${home}/judge`);
    await using session = await openByAny(home);
    damage = await damageIn(session);
  } catch (error) {
    if (!isError(error, 'VAULT_DAMAGED')) throw error;
    damage = [error.code];
  }
  const contents = [before, after].flatMap(({ vault }) => Object.values(vault?.points ?? {}).map((one) => one.content));
  for (const [id, { content }] of Object.entries(found?.vault?.points ?? {})) {
    const known = [before, after].flatMap(({ vault }) => vault?.points[id]?.content ?? []);
    const isRight = (known.length > 0 ? known : contents).includes(content);
    if (!isRight && !content.includes(LOST)) throw new Error(`${id} reads as something else`);
  }
  const isFound = damage.some((one) => !left.damage.includes(one));
  if (isSame(found, after, before)) return isFound ? 'verify, though all is there' : 'nobody has to';
  if (told !== 'done' && [before, between].some((one) => one && isSame(found, one, before))) return `the run (${told})`;
  if (!isFound) throw new Error(`nobody noticed, told as ${told}: ${JSON.stringify(found)}`);
  return found ? 'verify' : 'the next command';
}

/** Names that no entry of the log and no rule of the format explains. */
async function strayNames({ vault }: VaultSession, home: string): Promise<string[]> {
  const { state, store, keys } = vault;
  const needed = new Set(['vault/vault.json', 'vault/reserve']);
  for (let n = 1; n <= state.sequence; n++) needed.add(`vault/log/${String(n).padStart(20, '0')}`);
  for (const { name } of state.slots) needed.add(`vault/keys/${name}`);
  for (const { segment } of state.segments) {
    needed.add(`vault/${segmentPath(segment)}`);
    await using file = await openSegment(store, keys, segmentPath(segment));
    for (const { name } of file.packs) if (!state.condemned.has(name)) needed.add(`vault/${packPath(name)}`);
  }
  const folders = ['vault', 'cache', 'state', ...((await isThere(join(home, STAGED))) ? [STAGED] : [])];
  const names = await filesOf(home, folders);
  const missing = [...needed].filter((name) => !names.includes(name));
  return [
    ...names.filter((name) => !needed.has(name) && ![...EXPLAINED, ...TOLERATED].some((one) => one.test(name))),
    ...missing.map((name) => `missing ${name}`),
  ];
}

/** Checkpoints; the index, the tables and stamps of disks and the copies of entries of the cache; the state. */
const EXPLAINED = [
  /^vault\/ckpt\/\d{20}$/,
  /^cache\/[0-9a-f]{32}\/(index\.sqlite(-shm|-wal)?|(tables|sources)\/[0-9a-f]{32}|log\/\d{20}-[0-9a-f]{16})$/,
  /^state\/([0-9a-f]{32}|at-[0-9a-f]{32})\.json$/,
];

/** What may stay for a while, or for ever, of what was killed at a bad moment. All of it is small, or in the cache. */
const TOLERATED = [
  // A slot that no entry lists: nobody can know whether one will. `key list` tells of it.
  /^vault\/keys\/[0-9a-f]{16}$/,
  // Goes when it is a day old.
  /^state\/.*\.\d+\.part$/,
  // Goes when the log is 64 entries longer.
  /^cache\/[0-9a-f]{32}\/log\/\d{20}\.[0-9a-f]{8}$/,
  // Goes when it is a week old.
  /^cache\/[0-9a-f]{32}\/sources\/[0-9a-f]{32}\.[0-9a-f]{8}$/,
  // Elsewhere than in the vault, an empty staging location: nobody knows whose it was.
  /^staged\/AzureBackup-[0-9a-f]{32}$/,
  // Of a job whose staging location somebody else removed.
  /^cache\/[0-9a-f]{32}\/(jobs\/[0-9a-f]{32}\.[0-9a-f]{8}\.sqlite(-\w+)?|tables\/[0-9a-f]{32}\.[0-9a-f]{32}\.[0-9a-f]{8})$/,
];
/** What repair moves aside last of all: of one that was killed before, gc deletes it. */
const MOVED_ASIDE = /^vault\/quarantine\/index-[0-9a-f]{64}$/;

/** Also empty folders, but for those that a vault has. */
async function filesOf(home: string, folders: readonly string[]): Promise<string[]> {
  const names: string[] = [];
  for (const folder of folders) {
    const found = await readdir(join(home, folder), { recursive: true, withFileTypes: true });
    for (const one of found) {
      const name = relative(home, join(one.parentPath, one.name));
      if (one.isFile() || /^(vault\/staging|staged)\//.test(name)) names.push(name);
    }
  }
  return names;
}
