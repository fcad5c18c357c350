import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { findTool } from '../../fixtures/find-tool.ts';
import type { Call } from './measure.ts';

const PASSPHRASE = 'of a bench';
/** Points that `gc` keeps of ten. */
export const KEPT = 5;

/**
 * What is done with a backup program. again: the whole disk is read once more although nothing changed; next: one more point
 * of the same disk; restore fixed: another kind of image than was backed up; gc: half of the points forgotten, and what only
 * they had freed.
 */
export type Step = 'init' | 'first' | 'again' | 'next' | 'restore' | 'restore fixed' | 'verify' | 'gc';

/** Where a program works: `home` is a folder of its own for repository, cache and state. */
export interface Place {
  home: string;
  disk: string;
  /** An empty folder to restore into. */
  target: string;
}

/** A backup program: how each thing is done with it. What it cannot do, or is not measured with, is left out. */
export interface Contender {
  name: string;
  version: string;
  env(home: string): Record<string, string>;
  calls: Partial<Record<Step, (place: Place) => readonly Call[]>>;
  /** The folder whose growth is what was stored. */
  repository(home: string): string;
}

/** Those that are installed, ours first, and the names of those that are not. `bin` is our program, built. */
export function contenders(bin: string): { present: Contender[]; missing: string[] } {
  const rivals = { restic, borg };
  const found = Object.entries(rivals).map(([name, make]) => ({ name, path: findTool(name), make }));
  return {
    present: [vhdvault(bin), withZstd(bin), ...found.flatMap(({ path, make }) => (path ? [make(path)] : []))],
    missing: found.filter(({ path }) => path === undefined).map(({ name }) => name),
  };
}

export const OURS = 'vhdvault';
export const OURS_ZSTD = 'vhdvault, zstd';

export function vhdvault(bin: string): Contender {
  const call = (...words: string[]): Call[] => [{ program: process.execPath, words: [bin, ...words] }];
  const backup = ({ disk }: Place): Call[] => call('backup', 'bench', `disk=${disk}`);
  return {
    name: OURS,
    version: versionOf(process.execPath, bin, '--version'),
    env: (home) => ({
      VHDVAULT_VAULT: join(home, 'repository'),
      VHDVAULT_CACHE: join(home, 'cache'),
      VHDVAULT_STATE: join(home, 'state'),
      VHDVAULT_PASSPHRASE: PASSPHRASE,
    }),
    calls: {
      init: () => call('init'),
      ...{ first: backup, again: backup, next: backup },
      restore: ({ target }) => call('restore', 'bench', '--to', join(target, 'disk.vhd')),
      'restore fixed': ({ target }) => call('restore', 'bench', '--to', join(target, 'disk.vhd'), '--format', 'fixed'),
      verify: () => call('verify', '--read-data'),
      gc: () =>
        call(...['forget', 'bench', '--keep-last', String(KEPT), '--gc', '--soft-delete', '0s', '--grace', '0s']),
    },
    repository: (home) => join(home, 'repository'),
  };
}

/** For what it stores; where time matters the default is measured. */
function withZstd(bin: string): Contender {
  const ours = vhdvault(bin);
  const { first, next } = ours.calls;
  const init = (): Call[] => [{ program: process.execPath, words: [bin, 'init', '--compression', 'zstd'] }];
  return { ...ours, name: OURS_ZSTD, calls: { init, ...(first && { first }), ...(next && { next }) } };
}

function restic(program: string): Contender {
  const call = (...words: string[]): Call[] => [{ program, words: ['--quiet', ...words] }];
  return {
    name: 'restic',
    version: versionOf(program, 'version'),
    env: (home) => ({
      RESTIC_REPOSITORY: join(home, 'repository'),
      RESTIC_CACHE_DIR: join(home, 'cache'),
      RESTIC_PASSWORD: PASSPHRASE,
    }),
    calls: {
      init: () => call('init'),
      first: ({ disk }) => call('backup', disk),
      again: ({ disk }) => call('backup', '--force', disk),
      next: ({ disk }) => call('backup', disk),
      restore: ({ target }) => call('restore', 'latest', '--target', target),
      verify: () => call('check', '--read-data'),
      gc: () => call('forget', '--keep-last', String(KEPT), '--prune'),
    },
    repository: (home) => join(home, 'repository'),
  };
}

function borg(program: string): Contender {
  const call = (...words: string[]): Call[] => [{ program, words }];
  const archive = '::{now:%Y%m%d%H%M%S%f}';
  return {
    name: 'borg',
    version: versionOf(program, '--version'),
    env: (home) => ({
      BORG_REPO: join(home, 'repository'),
      BORG_BASE_DIR: join(home, 'base'),
      BORG_PASSPHRASE: PASSPHRASE,
    }),
    calls: {
      init: () => call('init', '-e', 'repokey-blake2'),
      first: ({ disk }) => call('create', '::first', disk),
      again: ({ disk }) => call('create', '--files-cache=disabled', archive, disk),
      next: ({ disk }) => call('create', archive, disk),
      restore: ({ target }) => call('extract', '::first').map((one) => ({ ...one, cwd: target })),
      verify: () => call('check', '--verify-data'),
      gc: () => [...call('prune', '--keep-last', String(KEPT)), ...call('compact')],
    },
    repository: (home) => join(home, 'repository'),
  };
}

function versionOf(program: string, ...words: string[]): string {
  const text = execFileSync(program, words, { encoding: 'utf8' });
  return /\d+\.\d+(\.\d+)*/.exec(text)?.[0] ?? text.trim();
}
