import { describe, expect, it } from 'vitest';
import { VhdvaultError } from '../../src/base/errors.ts';
import { createVault } from '../../src/vault/create-vault.ts';
import { openVault } from '../../src/vault/vault.ts';
import { drawOf } from '../fuzz/draw.ts';
import { storeSuite } from '../support/store-suite.ts';
import { runCampaign } from './campaign.ts';
import { DurableFiles, FLAWS, type Flaw } from './durable-files.ts';
import type { Outcome } from './simulate.ts';
import { simulatedStore } from './simulated-store.ts';

const SEEDS = 28;
/** What must happen in them; the rarest in one of thirty. */
const EVENTS = [
  ...['crash', 'power cut', 'stop', 'cancel', 'clock jump', 'operation failed', 'outcome unknown', 'full'],
  ...['backup goes on with another', 'gc closes jobs', 'gc deletes packs', 'gc stores packs anew'],
  ...['gc merges segments', 'a pack is quarantined'],
];
/** A flaw must show within so many. */
const MOST = 60;

/** Until `isEnough`, at most `count`. */
async function outcomes(
  from: number,
  count: number,
  { flaw, isEnough = () => false }: { flaw?: Flaw; isEnough?: (found: readonly Outcome[]) => boolean } = {},
): Promise<Outcome[]> {
  const found: Outcome[] = [];
  await runCampaign({
    ...{ from, count, flaw },
    onOutcome(outcome) {
      found.push(outcome);
      return !isEnough(found) && (flaw === undefined || outcome.violation === undefined);
    },
  });
  return found;
}

function failures(found: readonly Outcome[]): string[] {
  return found.flatMap(({ seed, violation, trace }) =>
    violation === undefined ? [] : [`seed ${seed}: ${violation}\n${trace.slice(-20).join('\n')}`],
  );
}

describe('a world of crashes, power cuts, full disks and clocks that jump', () => {
  it(`loses no point that was saved, in ${SEEDS} of them and more`, async () => {
    const never = (found: readonly Outcome[]): string[] =>
      EVENTS.filter((what) => !found.some(({ counts }) => counts.has(what)));
    const isEnough = (found: readonly Outcome[]): boolean => found.length >= SEEDS && never(found).length === 0;
    const found = await outcomes(1, 4 * SEEDS, { isEnough });
    expect(failures(found)).toEqual([]);
    // What never happened was not survived.
    expect(never(found)).toEqual([]);
  }, 120_000);

  it('goes the same way twice', async () => {
    for (const seed of [7, 8, 9]) {
      const [[one], [two]] = [await outcomes(seed, 1), await outcomes(seed, 1)];
      expect(two?.trace.length).toBeGreaterThan(100);
      expect(two?.trace).toEqual(one?.trace);
    }
  });
});

describe('a file system that breaks a promise', () => {
  it.each(Object.entries(FLAWS))(
    'is found out: %s',
    async (_, flaw) => {
      const found = await outcomes(1, MOST, { flaw });
      expect(failures(found)).toEqual([expect.not.stringContaining('the simulator failed')]);
    },
    120_000,
  );
});

describe('a power cut', () => {
  const cutOften = (prepare: (files: DurableFiles) => void, look: (files: DurableFiles) => string): Set<string> => {
    const seen = new Set<string>();
    for (let n = 0; n < 200; n++) {
      const files = new DurableFiles();
      prepare(files);
      files.powerCut(drawOf(1, n));
      seen.add(look(files));
    }
    return seen;
  };
  const write = (files: DurableFiles, path: string, text: string): void => {
    const file = files.create(path);
    files.append(file, [Buffer.from(text)]);
    files.sync(file, path);
  };
  const text = (files: DurableFiles, path: string): string =>
    files.isThere(path) ? Buffer.from(files.file(path).bytes).toString() : 'gone';

  it('leaves what was synced, name and content', () => {
    const seen = cutOften(
      (files) => {
        write(files, 'a', 'abc');
        files.syncFolder('.');
      },
      (files) => text(files, 'a'),
    );
    expect([...seen]).toEqual(['abc']);
  });

  it('takes a name whose folder was not synced, or leaves it', () => {
    const seen = cutOften(
      (files) => write(files, 'a', 'abc'),
      (files) => text(files, 'a'),
    );
    expect([...seen].sort()).toEqual(['abc', 'gone']);
  });

  it('tears content that was not synced anywhere, or makes zeros of its end', () => {
    const seen = cutOften(
      (files) => {
        files.append(files.create('a'), [Buffer.from('abc')]);
        files.syncFolder('.');
      },
      (files) => text(files, 'a'),
    );
    expect([...seen].sort()).toEqual(['', '\0\0\0', 'a', 'a\0\0', 'ab', 'ab\0', 'abc']);
  });

  it('leaves both names, either or neither of a file that moved to another folder', () => {
    const seen = cutOften(
      (files) => {
        files.makeFolder('f');
        write(files, 'a', 'abc');
        files.syncFolder('.');
        files.rename('a', 'f/b');
      },
      (files) => `${text(files, 'a')} ${text(files, 'f/b')}`,
    );
    expect([...seen].sort()).toEqual(['abc abc', 'abc gone', 'gone abc', 'gone gone']);
  });
});

it('an init that finds a vault which is not durable yet makes it so before it says that there is one', async () => {
  for (let n = 0; n < 20; n++) {
    const files = new DurableFiles();
    const store = simulatedStore(files, async (_, work) => work());
    const broken = {
      ...store,
      async syncFolder(path: string) {
        if (path === '.' && files.isThere('vault.json')) throw new VhdvaultError('IO', 'the disk is away');
        await store.syncFolder(path);
      },
    };
    await expect(createVault(broken, { reserve: 0 })).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await expect(createVault(store, { reserve: 0 })).rejects.toMatchObject({ code: 'VAULT_EXISTS' });
    files.powerCut(drawOf(2, n));
    expect((await openVault(store)).state.sequence).toBe(1);
  }
});

storeSuite('the simulated file system', async () => {
  const files = new DurableFiles();
  return simulatedStore(files, async (_, work) => work());
});
