import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Finding } from '../../src/base/finding.ts';
import { backup } from '../../src/jobs/backup-job.ts';
import { lockItem } from '../../src/jobs/item-lock.ts';
import { addKey } from '../../src/jobs/key-job.ts';
import { openPoint } from '../../src/jobs/open-point.ts';
import { scrub } from '../../src/jobs/scrub-job.ts';
import type { SessionOptions, VaultSession } from '../../src/jobs/session.ts';
import type { NamedDisk } from '../../src/jobs/types.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { catalog } from '../../src/point/catalog.ts';
import { createStaging } from '../../src/staging/staging-location.ts';
import { readAll, storeOf } from './copied-store.ts';
import { noise, openBench, rawDisk, type VaultBench } from './vault-bench.ts';

/*
 * A vault with objects of every kind, and what becomes of it under an attacker who can write to its folder and has no key.
 * The oracle: whatever is done, an operation fails with a typed error, or verify tells, or the bytes are the true ones.
 */

export type Files = ReadonlyMap<string, Uint8Array>;

export type Truth = ReadonlyMap<string, Uint8Array>;

/** A vault as files, and what its points must read as, by `item@point`. */
export interface Moment {
  files: Files;
  truth: Truth;
}

/** And what the state folder of a machine tells that saw it so. */
export interface SeenMoment extends Moment {
  seen: ReadonlyMap<string, string>;
}

export interface AttackedVault extends SeenMoment {
  bench: VaultBench;
  /** What it was before its newest point. */
  before: Moment;
  /** What comes of one more point, made on a machine of its own, and of so many entries as `until` asks for. */
  grown(moment: Moment, seed: number, until?: number): Promise<SeenMoment>;
  /** Does it to a copy of the vault. */
  outcomeOf(files: Files, options?: ExamineOptions): Promise<Outcome>;
}

export interface ExamineOptions {
  /** What opens the vault where it is not the passphrase. */
  secret?: SessionOptions;
  /** What is there to be read still; default all. */
  truth?: Truth;
  /** What may be there, too. */
  made?: Truth;
  /** What the machine knows that knows the vault; default as it is now. */
  seen?: ReadonlyMap<string, string>;
}

/**
 * What becomes of an attack: the code of the error that opening ends with; `damage`: verify tells of damage; `warning` or
 * `note`: it tells of something that is not so in the vault as it was; `scrub`: only scrub does; `harmless`: nobody need be
 * told. In the last four all points are there and whole, and another one can be made.
 */
export type Verdict = string;

/** What a machine that knows the vault, and one that never saw it, come to. */
export interface Outcome {
  /** Of opening only: `opened`, or the code of the refusal. */
  known: string;
  fresh: Verdict;
  /** What must never be. */
  broken: string[];
}

const SIZE = 6 * 16 * 1024;

export async function attackedVault(folder: string): Promise<AttackedVault> {
  const bench = await openBench(folder, { compression: 'none' });
  await mkdir(bench.folder, { recursive: true });
  const key = join(folder, 'key');
  await writeFile(key, Buffer.alloc(32, 7));
  const truth = new Map<string, Uint8Array>();
  await savePoint(bench, 'a', 1, truth);
  await savePoint(bench, 'b', 2, truth);
  {
    await using session = await bench.open();
    await addKey(session, { keyFile: key, label: 'cron' });
    await fillLog(session, 64);
    await leaveBehind(session);
  }
  const before = { files: await readAll(bench.store), truth: new Map(truth) };
  await savePoint(bench, 'a', 3, truth);
  const files = await readAll(bench.store);
  const seen = await readState(bench.state);
  const usual = new Set<string>();
  let count = 0;
  const reset = async (to: Files): Promise<void> =>
    void (await storeOf(to, (bench.storeAddress as { name: string }).name));
  const machine = (): SessionOptions => ({
    state: join(folder, `state-${count}`),
    cache: join(folder, `cache-${count++}`),
  });
  {
    await using session = await bench.open(machine());
    for (const finding of await tellings(bench, session, new Attempts())) usual.add(finding);
  }
  return {
    ...{ bench, files, truth, seen, before },
    async grown(moment, seed, until = 0) {
      await reset(moment.files);
      const more = new Map(moment.truth);
      const own = machine();
      await savePoint(bench, 'a', seed, more, own);
      await using session = await bench.open(own);
      await fillLog(session, until);
      await session.rememberHead();
      return { files: await readAll(bench.store), truth: more, seen: await readState(own.state!) };
    },
    async outcomeOf(attacked, options = {}) {
      await reset(attacked);
      await writeState(bench.state, options.seen ?? seen);
      return await outcomeOf(bench, join(folder, `fresh-${count++}`), { truth, usual, ...options });
    },
  };
}

async function savePoint(
  bench: VaultBench,
  item: string,
  seed: number,
  truth: Map<string, Uint8Array>,
  machine: SessionOptions = {},
): Promise<void> {
  const bytes = noise(SIZE, seed);
  const disk = await rawDisk(join(bench.folder, item), bytes);
  await using session = await bench.open(machine);
  const { point } = await backup(session, item, [disk]);
  truth.set(`${item}@${point}`, bytes);
}

/** Entries that say nothing, so that checkpoints are written. */
export async function fillLog({ vault }: VaultSession, until: number): Promise<void> {
  while (vault.state.sequence < until)
    await vault.commit(() => ({ type: 'setting', key: 'x', value: new Uint8Array(1) }));
}

/** Journals and locks as killed runs leave them. */
async function leaveBehind({ vault }: VaultSession): Promise<void> {
  for (const item of ['b', 'c']) {
    await createStaging(vault, item.charCodeAt(0).toString(16).repeat(16), { item, started: 0 });
    const lock = await lockItem(vault, item);
    const path = `locks/${vault.nameHash('item', item)}`;
    const bytes = await vault.store.get(path);
    await lock[Symbol.asyncDispose]();
    await using file = await vault.store.create(path);
    await file.write([bytes]);
  }
}

async function readState(folder: string): Promise<Map<string, string>> {
  const names = await readdir(folder);
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

async function writeState(folder: string, seen: ReadonlyMap<string, string>): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const [name, words] of seen) await writeFile(join(folder, name), words);
}

interface Examine extends ExamineOptions {
  truth: Truth;
  /** What verify and scrub say of the vault as it was. */
  usual: ReadonlySet<string>;
}

async function outcomeOf(bench: VaultBench, folder: string, examine: Examine): Promise<Outcome> {
  const attempts = new Attempts();
  const { secret = {} } = examine;
  const known = await attempts.codeOf('opening', async () => {
    await using _ = await bench.open(secret);
    return 'opened';
  });
  const machine: SessionOptions = { ...secret, cache: join(folder, 'cache'), state: join(folder, 'state') };
  const fresh = await attempts.codeOf('opening', async () => {
    await using session = await bench.open(machine);
    return await examineSession(session, { bench, folder, examine, attempts });
  });
  await rm(folder, { recursive: true, force: true });
  return { known, fresh, broken: attempts.broken };
}

/** Counts errors as answers, but for those that no attack may lead to. */
class Attempts {
  readonly broken: string[] = [];

  async codeOf(doing: string, work: () => Promise<string>): Promise<string> {
    try {
      return await work();
    } catch (error) {
      const { name, code, stack } = error as { name?: string; code?: string; stack?: string };
      if (name !== 'VhdvaultError' || code === 'BUG') this.broken.push(`${doing}: untyped ${stack ?? String(error)}`);
      return String(code);
    }
  }
}

interface Examined {
  bench: VaultBench;
  folder: string;
  examine: Examine;
  attempts: Attempts;
}

async function examineSession(session: VaultSession, { bench, folder, examine, attempts }: Examined): Promise<Verdict> {
  const { truth, made = truth, usual } = examine;
  const { broken } = attempts;
  const refs = catalog(session.vault).map(({ id, manifest }) => `${manifest.item}@${id}`);
  for (const ref of refs) if (!truth.has(ref) && !made.has(ref)) broken.push(`${ref} was never made`);
  const lost: string[] = [];
  for (const [ref, bytes] of truth) {
    const isThere = refs.includes(ref);
    const read = isThere && (await attempts.codeOf(`reading ${ref}`, () => compare(session, ref, bytes, broken)));
    if (read !== 'same') lost.push(ref);
  }
  const told = await tellings(bench, session, attempts);
  const verdict = worstOf(told.filter((finding) => !usual.has(finding)));
  if (lost.length > 0 && verdict !== 'damage') broken.push(`${lost.join(', ')} lost, and nobody tells`);
  // Where damage was told, a backup that fails or is refused is no news: then only with time to spare.
  if (verdict === 'damage' && process.env.VHDVAULT_LONG === undefined) return verdict;
  const next = await attempts.codeOf('a backup', () => backUpAndRead(session, folder, broken));
  if (verdict !== 'damage' && next !== 'same') broken.push(`a new point: ${next}, and nobody tells`);
  return verdict;
}

/** Severity and code of all that verify and scrub say. */
async function tellings(bench: VaultBench, session: VaultSession, attempts: Attempts): Promise<string[]> {
  const told: string[] = [];
  const add = (by: string, findings: readonly Finding[]): string => {
    told.push(...findings.map(({ severity, code }) => `${by} ${severity} ${code}`));
    return 'told';
  };
  const { pool } = session;
  const verified = await attempts.codeOf('verify', async () =>
    add('verify', (await verify(session, { readData: true })).findings),
  );
  const scrubbed = await attempts.codeOf('scrub', async () =>
    add('scrub', (await scrub(bench.address, { parts: { store: bench.storeAddress, pool } })).findings),
  );
  if (verified !== 'told') told.push(`verify damage ${verified}`);
  if (scrubbed !== 'told') told.push(`scrub damage ${scrubbed}`);
  return told;
}

function worstOf(told: readonly string[]): Verdict {
  const has = (what: string): boolean => told.some((finding) => finding.startsWith(what));
  if (has('verify damage')) return 'damage';
  if (has('verify warning')) return 'warning';
  if (has('verify')) return 'note';
  return has('scrub') ? 'scrub' : 'harmless';
}

async function compare(session: VaultSession, ref: string, bytes: Uint8Array, broken: string[]): Promise<string> {
  await using disk = await openPoint(session, ref);
  const found = new Uint8Array(disk.size);
  await disk.read(0, found);
  if (Buffer.compare(found, bytes) !== 0) broken.push(`${ref} reads as something else`);
  return 'same';
}

/** Another point with most of what `a` had: what is there already must not be relied on in vain, or verify tells. */
async function backUpAndRead(session: VaultSession, folder: string, broken: string[]): Promise<string> {
  await mkdir(folder, { recursive: true });
  const bytes = Uint8Array.from(noise(SIZE, 3));
  bytes.set(noise(100, 9), 0);
  const disk: NamedDisk = await rawDisk(join(folder, 'disk'), bytes);
  const { point } = await backup(session, 'a', [disk]);
  return await compare(session, `a@${point}`, bytes, broken);
}
