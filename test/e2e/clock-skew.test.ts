import { readdir } from 'node:fs/promises';
import { beforeAll, expect, it } from 'vitest';
import { openVault } from '../../src/jobs/session.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWithTool } from '../support/tool.ts';
import { bundle, endOf, startUnder } from '../support/traced-run.ts';
import { optionsOf, perform, type VaultAction, type VaultCommand } from '../support/vault-action.ts';
import { LOST, lookAt, tellingOf } from '../support/vault-scene-checks.ts';
import { type Base, buildBase, copyHome, removeHome } from '../support/vault-scenes.ts';

const temp = tempFolder({ inMemory: true });
const SKEWS = ['+2d', '-2d'] as const;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const BACKUP: VaultCommand = { do: 'backup', item: 'box', disks: ['a'] };

let base: Base;

/** A run whose wall clock is wrong; what nobody can set goes right, and so do the times of files. */
async function runSkewed(
  skew: string,
  action: VaultAction,
): Promise<{ told: string; result: Record<string, unknown> }> {
  const env = { FAKETIME_DONT_FAKE_MONOTONIC: '1', NO_FAKE_STAT: '1' };
  const ended = await endOf(startUnder('faketime', ['-f', skew], action, env));
  const told = tellingOf(ended);
  return { told, result: JSON.parse(ended.stdout) as Record<string, unknown> };
}

async function copyOfBase(): Promise<string> {
  const home = temp.fresh('home');
  await copyHome(base.home, home);
  return home;
}

async function packsOf(home: string): Promise<string[]> {
  const names = await readdir(`${home}/vault/packs`, { recursive: true });
  return names.filter((name) => name.includes('/')).sort();
}

/** Why a run by the right clock doubts that. */
async function doubtOf(action: Omit<VaultAction, 'command'>): Promise<string | undefined> {
  await using session = await openVault(`${action.home}/vault`, optionsOf(action));
  return session.clockDoubt;
}

describeWithTool('faketime', 'a machine whose clock is two days wrong', () => {
  beforeAll(async () => {
    await bundle(temp.fresh('bundle'), 'vault-action.ts');
    base = await buildBase(temp.fresh('base'));
  });

  it.each(SKEWS)('gives up and frees nothing unless told to, and then nothing before its time: %s', async (skew) => {
    const before = await lookAt(base.home, `${base.home}-judge`);
    // Neither by that clock nor by the right one was anything forgotten an hour ago.
    const commands: VaultCommand[] = [
      { do: 'forget', refs: [base.points.old] },
      { do: 'protect', minRetention: '1d' },
      { do: 'gc', grace: 0, softDelete: HOUR },
    ];
    for (const command of commands) {
      const home = await copyOfBase();
      expect((await runSkewed(skew, { home, command })).told).toBe('CLOCK_DOUBTED');
      expect(await lookAt(home, `${home}/judge`)).toEqual(before);
      expect((await runSkewed(skew, { home, command, acceptClock: true })).told).toBe('done');
      // To others the right clock is right still.
      const other = { home, machine: 'other' };
      expect(await doubtOf(other)).toBeUndefined();
      await perform({ ...other, command: { do: 'gc', grace: 0, softDelete: HOUR } });
      await perform({ ...other, command: { do: 'unforget', refs: [base.points.old] } });
      const { vault } = await lookAt(home, `${home}/judge`);
      expect(vault?.points).toEqual(before.vault?.points);
      await removeHome(home);
    }
  });

  it.each(SKEWS)(
    'deletes nothing that was given up within the grace, though its clock was accepted: %s',
    async (skew) => {
      const home = await copyOfBase();
      const other = { home, machine: 'other' };
      await perform({ home, command: { do: 'unpin', ref: base.points.pinned } });
      await perform({ home, command: { do: 'forget', refs: [base.points.old, base.points.pinned] } });
      const gc = (grace: number): VaultCommand => ({ do: 'gc', grace, softDelete: 0 });
      expect(await perform({ home, command: gc(DAY) })).toMatchObject({ condemned: { points: 3 } });
      await perform({ home, command: { do: 'forget', refs: [base.points.web] } });
      const before = await packsOf(home);
      expect((await runSkewed(skew, { home, command: gc(DAY) })).told).toBe('CLOCK_DOUBTED');
      // It gives up what was forgotten since, too.
      const { told, result } = await runSkewed(skew, { home, command: gc(DAY), acceptClock: true });
      expect([told, result]).toMatchObject(['done', { condemned: { points: 1 } }]);
      expect(await packsOf(home)).toEqual(expect.arrayContaining(before));
      await perform({ ...other, command: gc(DAY) });
      expect(await packsOf(home)).toEqual(expect.arrayContaining(before));
      await perform({ ...other, command: gc(1) });
      expect(await packsOf(home)).not.toEqual(expect.arrayContaining(before));
      const { vault } = await lookAt(home, `${home}/judge`);
      expect(Object.values(vault?.points ?? {}).map(({ content }) => content)).not.toContain(LOST);
      await removeHome(home);
    },
  );

  it.each(SKEWS)('backs up and says so, and marks the points that it makes: %s', async (skew) => {
    const home = await copyOfBase();
    const { told, result } = await runSkewed(skew, { home, command: BACKUP });
    expect(told).toBe('done');
    expect(result.warnings).toEqual([expect.stringContaining('the clock of this machine says')]);
    expect(await doubtOf({ home, machine: 'other' })).toBeUndefined();
    // Nobody has said meanwhile that it is right.
    const forget: VaultCommand = { do: 'forget', refs: [base.points.old] };
    expect((await runSkewed(skew, { home, command: forget })).told).toBe('CLOCK_DOUBTED');
    await removeHome(home);
  });

  it('and has not seen the vault before, makes the others doubt their clocks, until they are told', async () => {
    const home = await copyOfBase();
    await runSkewed('+2d', { home, command: BACKUP, machine: 'other' });
    expect(await doubtOf({ home })).toContain('more than a day before the newest entry');
    expect(await perform({ home, command: BACKUP })).toMatchObject({ warnings: [expect.stringContaining('clock')] });
    const forget: VaultCommand = { do: 'forget', refs: [base.points.old] };
    await expect(perform({ home, command: forget })).rejects.toMatchObject({ code: 'CLOCK_DOUBTED' });
    expect(await perform({ home, command: forget, acceptClock: true })).toMatchObject({
      forgotten: [{ expires: null }],
    });
    await removeHome(home);
  });
});
