import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forget } from '../../src/jobs/forget-job.ts';
import { pin } from '../../src/jobs/pin-job.ts';
import { points } from '../../src/jobs/points.ts';
import { protect } from '../../src/jobs/protect-job.ts';
import type { VaultSession } from '../../src/jobs/session.ts';
import { unforget } from '../../src/jobs/unforget-job.ts';
import { type EntryBody, FOR_EVER } from '../../src/vault/vault.ts';
import { type FaultMode, storeFaults } from '../support/store-faults.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { DAY, idOf, manifestOf, START, type TimedVault, timedVault } from '../support/timed-vault.ts';

const folder = tempFolder({ inMemory: true });
const newVault = (): Promise<TimedVault> => timedVault(folder.fresh('vault'));

/** All that listings tell. */
async function seenBy(session: VaultSession): Promise<unknown[]> {
  await session.vault.refresh();
  return [await points(session), await points(session, undefined, { forgotten: true }), await protect(session)];
}

describe('whichever operation of the store fails', () => {
  interface Case {
    title: string;
    run(session: VaultSession, ref: string, k: number): Promise<unknown>;
    undo?: (ref: string) => EntryBody;
    /** Its undoing is done first. */
    first?: boolean;
    modes: readonly FaultMode[];
  }
  const cases: Case[] = [
    {
      title: 'forget',
      run: (session, ref) => forget(session, { refs: [ref] }),
      undo: (ref) => ({ type: 'unforget', points: [idOf(ref)] }),
      modes: ['one', 'late', 'dead'],
    },
    {
      title: 'unforget',
      first: true,
      run: (session, ref) => unforget(session, [ref]),
      undo: (ref) => ({ type: 'forget', points: [idOf(ref)] }),
      modes: ['late'],
    },
    {
      title: 'pin',
      run: (session, ref) => pin(session, ref),
      undo: (ref) => ({ type: 'pin', point: idOf(ref), until: 0 }),
      modes: ['late'],
    },
    { title: 'protect', run: (session, _, k) => protect(session, { minRetention: `${k}h` }), modes: ['late'] },
  ];

  it.each(cases)(
    '$title has done all of it or nothing, and the next run does it',
    async ({ run, undo, first: undoFirst, modes }) => {
      const vault = await newVault();
      const [ref = ''] = await vault.dailyPoints('a', 2);
      const undone = (): Promise<unknown> => vault.within((session) => session.vault.commit(() => undo?.(ref) ?? null));
      if (undoFirst) await undone();
      await using watcher = await vault.open();
      for (const mode of modes) {
        for (let k = 1; ; k++) {
          const before = await seenBy(watcher);
          const faults = storeFaults(k, mode);
          let outcome = 'done';
          {
            await using session = await vault.open();
            Object.assign(session.vault.store, faults.wrap({ ...session.vault.store }));
            await run(session, ref, k).catch((error: { code: string }) => {
              outcome = error.code;
            });
          }
          const after = await seenBy(watcher);
          const isThere = JSON.stringify(after) !== JSON.stringify(before);
          expect(outcome).toMatch(isThere ? /^(done|IO|OUTCOME_UNKNOWN)$/ : /^IO$/);
          await vault.within((session) => run(session, ref, k));
          const whole = await seenBy(watcher);
          expect(whole).not.toEqual(before);
          if (isThere && undo) expect(after).toEqual(whole);
          await undone();
          if (!faults.hit) break;
          expect(k).toBeLessThan(40);
        }
      }
    },
  );
});

describe('a log that another program wrote', () => {
  const ids = ['11', '22', '33'].map((byte) => byte.repeat(8));
  const days = fc.integer({ min: 0, max: 6 });
  const id = fc.constantFrom(...ids);
  const entry: fc.Arbitrary<EntryBody> = fc.oneof(
    fc.record({
      type: fc.constantFrom('forget' as const, 'unforget' as const),
      points: fc.array(id, { maxLength: 3 }),
    }),
    fc.record({ type: fc.constant('pin' as const), point: id, until: fc.constantFrom(0, FOR_EVER, START + 10 * DAY) }),
    fc.record({ type: fc.constant('protect' as const), retention: days.map((count) => count * 10 * DAY) }),
    fc.record({
      ...{ type: fc.constant('condemn' as const), packs: fc.constant<string[]>([]) },
      points: fc.array(id, { maxLength: 1 }),
    }),
  );
  const step = fc.record({ entry, wait: days, doubted: fc.boolean() });

  it('means the same to all, however they replay it', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => {
        const vault = await newVault();
        await using sure = await vault.open();
        await using doubting = await vault.open();
        doubting.vault.doubtClock();
        for (const point of ids) {
          const manifest = manifestOf('web01');
          await sure.vault.commit(() => ({ type: 'point', point, adds: [], manifest }));
        }
        for (const { entry, wait, doubted } of steps) {
          vault.time += wait * DAY;
          await (doubted ? doubting : sure).vault.commit(() => entry);
        }
        const told = await seenBy(sure);
        expect(await vault.within(seenBy)).toEqual(told);
        // Behind all that, entries that change nothing, until there is a checkpoint.
        for (let n = 0; n < 32; n++) await sure.vault.commit(() => ({ type: 'unforget', points: [] }));
        const { store } = vault.bench;
        const checkpoints = await store.list('ckpt');
        expect(checkpoints.length).toBeGreaterThan(0);
        const byCheckpoint = await vault.within(seenBy);
        for (const name of checkpoints) await store.remove(`ckpt/${name}`);
        expect(await vault.within(seenBy)).toEqual(byCheckpoint);
        expect(await seenBy(doubting)).toEqual(byCheckpoint);
        const text = JSON.stringify(told);
        for (const [, word = ''] of text.matchAll(/"(pinned|forgotten|protectedUntil)":"/g)) seen.add(word);
      }),
      { numRuns: 60 },
    );
    expect([...seen].sort()).toEqual(['forgotten', 'pinned', 'protectedUntil']);
  });

  it('and that forgets what is pinned or too young, forgets nothing', async () => {
    const vault = await newVault();
    const [first = '', second = '', third = ''] = await vault.dailyPoints('web01', 3);
    await vault.within((session) => pin(session, first));
    const forged = (refs: string[]): Promise<unknown> =>
      vault.within((session) => session.vault.commit(() => ({ type: 'forget', points: refs.map(idOf) })));
    await forged([first, second]);
    expect(await vault.names(true)).toEqual([second]);
    await vault.within((session) => protect(session, { minRetention: '30d' }));
    await forged([first, third]);
    expect(await vault.names()).toEqual([first, third]);
  });

  it('and that lowers a minimum retention before it has run out, lowers nothing', async () => {
    const vault = await newVault();
    await vault.within((session) => protect(session, { minRetention: '30d' }));
    const lower: EntryBody = { type: 'protect', retention: DAY };
    await vault.within((session) => session.vault.commit(() => lower));
    const inForce = (): Promise<number> => vault.within(async (session) => (await protect(session)).minRetention);
    expect(await inForce()).toBe((30 * DAY) / 1000);
    vault.time += 30 * DAY;
    await vault.within((session) => session.vault.commit(() => lower));
    expect(await inForce()).toBe(DAY / 1000);
  });
});
