import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { findTool } from '../../fixtures/find-tool.ts';

const PASSPHRASE = 'of a bench';

/** A program with its arguments, and the folder that it runs in. */
export interface Call {
  program: string;
  words: readonly string[];
  cwd?: string;
}

/** A backup program: how each thing is done with it. `home` is a folder of its own for repository, cache and state. */
export interface Contender {
  name: string;
  version: string;
  env(home: string): Record<string, string>;
  init(home: string): Call;
  backup(home: string, disk: string): Call;
  /** As `backup`, but must read the whole disk again although nothing changed. */
  again(home: string, disk: string): Call;
  restore(home: string, folder: string): Call;
  verify(home: string): Call;
  /** The folder whose growth is what was stored. */
  repository(home: string): string;
}

/** Those that are installed, and the names of those that are not. `bin` is our program, built. */
export function contenders(bin: string): { present: Contender[]; missing: string[] } {
  const rivals = { restic, borg };
  const found = Object.entries(rivals).map(([name, make]) => ({ name, path: findTool(name), make }));
  return {
    present: [vhdvault(bin), ...found.flatMap(({ path, make }) => (path ? [make(path)] : []))],
    missing: found.filter(({ path }) => path === undefined).map(({ name }) => name),
  };
}

function vhdvault(bin: string): Contender {
  const call = (...words: string[]): Call => ({ program: process.execPath, words: [bin, ...words] });
  return {
    name: 'vhdvault',
    version: versionOf(process.execPath, bin, '--version'),
    env: (home) => ({
      VHDVAULT_VAULT: join(home, 'repository'),
      VHDVAULT_CACHE: join(home, 'cache'),
      VHDVAULT_STATE: join(home, 'state'),
      VHDVAULT_PASSPHRASE: PASSPHRASE,
    }),
    init: () => call('init'),
    backup: (_, disk) => call('backup', 'bench', `disk=${disk}`),
    again: (_, disk) => call('backup', 'bench', `disk=${disk}`),
    restore: (_, folder) => call('restore', 'bench', '--to', join(folder, 'disk.vhd')),
    verify: () => call('verify', '--read-data'),
    repository: (home) => join(home, 'repository'),
  };
}

function restic(program: string): Contender {
  const call = (...words: string[]): Call => ({ program, words: ['--quiet', ...words] });
  return {
    name: 'restic',
    version: versionOf(program, 'version'),
    env: (home) => ({
      RESTIC_REPOSITORY: join(home, 'repository'),
      RESTIC_CACHE_DIR: join(home, 'cache'),
      RESTIC_PASSWORD: PASSPHRASE,
    }),
    init: () => call('init'),
    backup: (_, disk) => call('backup', disk),
    again: (_, disk) => call('backup', '--force', disk),
    restore: (_, folder) => call('restore', 'latest', '--target', folder),
    verify: () => call('check', '--read-data'),
    repository: (home) => join(home, 'repository'),
  };
}

function borg(program: string): Contender {
  const call = (...words: string[]): Call => ({ program, words });
  return {
    name: 'borg',
    version: versionOf(program, '--version'),
    env: (home) => ({
      BORG_REPO: join(home, 'repository'),
      BORG_BASE_DIR: join(home, 'base'),
      BORG_PASSPHRASE: PASSPHRASE,
    }),
    init: () => call('init', '-e', 'repokey-blake2'),
    backup: (_, disk) => call('create', '::first', disk),
    again: (_, disk) => call('create', '--files-cache=disabled', '::again', disk),
    restore: (_, folder) => ({ ...call('extract', '::first'), cwd: folder }),
    verify: () => call('check', '--verify-data'),
    repository: (home) => join(home, 'repository'),
  };
}

function versionOf(program: string, ...words: string[]): string {
  const text = execFileSync(program, words, { encoding: 'utf8' });
  return /\d+\.\d+(\.\d+)*/.exec(text)?.[0] ?? text.trim();
}
