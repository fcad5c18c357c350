import { beforeAll, describe, expect, it } from 'vitest';
import { type AttackedVault, attackedVault, type Files } from '../support/attacked-vault.ts';
import { tempFolder } from '../support/temp-folder.ts';

/*
 * Somebody who can write to the folder of a vault, and has no key, puts the bytes of one object into the place of another,
 * cuts it, or takes it away: each pair of kinds. What comes of it is in the table; that no point ever reads as something
 * else, that nothing but typed errors come up, and that no loss goes untold, is checked besides (attacked-vault.ts).
 */
const temp = tempFolder({ inMemory: true });
let vault: AttackedVault;
/** Paths of the objects of each kind, and the one that stands for it as a victim first. */
let kinds: Record<string, string[]>;
let victims: Record<string, string>;

const entry = (n: number): string => `log/${String(n).padStart(20, '0')}`;

beforeAll(async () => {
  vault = await attackedVault(temp.fresh('attacked'));
  const some = (pattern: RegExp): string[] => [...vault.files.keys()].filter((path) => pattern.test(path));
  const packs = some(/^packs/).sort((a, b) => vault.files.get(b)!.byteLength - vault.files.get(a)!.byteLength);
  kinds = {
    'vault.json': ['vault.json'],
    slot: some(/^keys/),
    entry: [entry(66), entry(65)],
    checkpoint: some(/^ckpt/).toReversed(),
    'data pack': packs.slice(0, 3),
    'page pack': packs.slice(3),
    segment: some(/^index/),
    journal: some(/journal$/),
    lock: some(/^locks/),
    reserve: ['reserve'],
  };
  await using session = await vault.bench.open({ state: temp.fresh('state'), cache: temp.fresh('cache') });
  const own = `keys/${session.vault.slot}`;
  victims = {
    ...Object.fromEntries(Object.entries(kinds).map(([kind, paths]) => [kind, paths[0]!])),
    ...{ 'slot that opens': own, 'other slot': kinds.slot!.find((path) => path !== own)! },
    ...{ 'first entry': entry(1), 'entry before the checkpoint': entry(30), 'newest entry': entry(66) },
  };
});

/** What comes of it whatever is put into the place of an object, but where another kind is named. */
const verdicts: [victim: string, verdict: string, but: Record<string, string>][] = [
  ['vault.json', 'VAULT_DAMAGED', { gone: 'VAULT_MISSING' }],
  ['slot that opens', 'VAULT_DAMAGED', { slot: 'VAULT_KEY_WRONG', gone: 'VAULT_KEY_WRONG' }],
  ['other slot', 'damage', {}],
  ['first entry', 'VAULT_DAMAGED', {}],
  ['entry before the checkpoint', 'damage', {}],
  // That a log ends earlier, only who saw it knows, unless a checkpoint is newer.
  ['newest entry', 'damage', { gone: 'note' }],
  // It only saves reading the log.
  ['checkpoint', 'note', { gone: 'harmless' }],
  ['data pack', 'damage', {}],
  ['page pack', 'damage', {}],
  ['segment', 'damage', {}],
  // It only tells whose the leftovers of a killed run are; what it proposes is checked.
  ['journal', 'harmless', {}],
  // It only saves work: that of a dead run is taken over, and so is an unreadable one.
  ['lock', 'note', { lock: 'harmless', gone: 'harmless' }],
  ['reserve', 'warning', {}],
];

describe.each(verdicts)('in the place of: %s', (victim, verdict, but) => {
  it(`whatever is put there, the outcome is ${verdict}`, async () => {
    const path = victims[victim]!;
    const found: Record<string, string> = {};
    for (const [source, bytes] of sourcesFor(path)) {
      const isCut = victim === 'newest entry' && bytes === undefined;
      const { truth } = isCut ? vault.before : vault;
      const { known, fresh, broken } = await vault.outcomeOf(withFile(vault.files, path, bytes), { truth });
      expect(broken, source).toEqual([]);
      const isRefused = fresh.startsWith('VAULT_');
      expect(known, source).toBe(isRefused ? fresh : isCut ? 'VAULT_ROLLED_BACK' : 'opened');
      if (fresh !== verdict) found[source] = fresh;
    }
    expect(found).toEqual(but);
  });
});

/** One object of every kind, half of what was there, and nothing. */
function sourcesFor(victim: string): [string, Uint8Array | undefined][] {
  const whole = vault.files.get(victim)!;
  const others = Object.entries(kinds).flatMap(([kind, paths]): [string, Uint8Array][] => {
    const other = paths.find((path) => path !== victim);
    return other === undefined ? [] : [[kind, vault.files.get(other)!]];
  });
  expect(others.length).toBeGreaterThanOrEqual(9);
  return [...others, ['half of it', whole.subarray(0, whole.byteLength >> 1)], ['gone', undefined]];
}

function withFile(files: Files, path: string, bytes: Uint8Array | undefined): Files {
  const attacked = new Map(files);
  attacked.delete(path);
  if (bytes) attacked.set(path, bytes);
  return attacked;
}
