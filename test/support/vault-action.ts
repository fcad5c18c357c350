import { join } from 'node:path';
import { toPlain } from '../../src/base/errors.ts';
import { exitCodeOfError, exitCodeOfResult, type Verdict } from '../../src/cli/exit-code.ts';
import { backup } from '../../src/jobs/backup-job.ts';
import { forget } from '../../src/jobs/forget-job.ts';
import { gc } from '../../src/jobs/gc-job.ts';
import { addKey, changeKey, removeKey } from '../../src/jobs/key-job.ts';
import { pin, unpin } from '../../src/jobs/pin-job.ts';
import { protect } from '../../src/jobs/protect-job.ts';
import { restore } from '../../src/jobs/restore-job.ts';
import { createVault, openVault, type SessionOptions, type VaultSession } from '../../src/jobs/session.ts';
import { unforget } from '../../src/jobs/unforget-job.ts';
import { repairVault } from '../../src/jobs/vault-repair-job.ts';
import { openInThreadPool } from '../../src/pool/in-thread-pool.ts';
import { CHEAP_KDF, fixedRandom } from './fixed-parts.ts';

/** One command on a vault, as data: run as a program of its own, it can be killed at any call. */
export interface VaultAction {
  /** Holds all of it: vault, cache, state, disks. */
  home: string;
  command: VaultCommand;
  /** For the same names and the same calls in every run; nothing in one vault may ever be made twice by the same. */
  seed?: string;
  passphrase?: string;
  /** Has a cache and a state of its own; left out: the one that made the vault. */
  machine?: string;
  acceptClock?: boolean;
}

export type VaultCommand =
  | { do: 'init' }
  /** Disks: names of raw files of the home, or `NAME=PATH`. `staging`: a folder of the home. */
  | { do: 'backup'; item: string; disks: readonly string[]; post?: string; type?: 'full'; staging?: string }
  | { do: 'restore'; ref: string; to: string; force?: boolean }
  /** `gc`: all is freed in the same run. */
  | { do: 'forget'; refs: readonly string[]; gc?: true }
  | { do: 'forget by a rule'; item: string; last: number }
  | { do: 'unforget'; refs: readonly string[] }
  | { do: 'pin' | 'unpin'; ref: string }
  | { do: 'protect'; minRetention: string }
  | { do: 'key add'; passphrase: string; label: string }
  /** Of the slot that opens the vault, or of this one. */
  | { do: 'key change'; passphrase: string; slot?: string }
  | { do: 'key remove'; slot: string }
  | { do: 'repair' }
  | { do: 'gc'; grace: number; softDelete: number };

export const BLOCK: number = 16 * 1024;
export const SECRET = 'correct horse battery staple';

/** In one thread and with a cheap key derivation: few calls, always in the same order. */
export function optionsOf(action: Omit<VaultAction, 'command'>, parts: SessionOptions['parts'] = {}): SessionOptions {
  const { home, seed, passphrase = SECRET, machine = '' } = action;
  return {
    ...{ cache: join(home, machine, 'cache'), state: join(home, machine, 'state'), threads: 1, passphrase },
    parts: {
      ...{ kdf: CHEAP_KDF, reserve: 3 * BLOCK, pool: openInThreadPool(1) },
      ...(seed !== undefined && { random: fixedRandom(seed) }),
      ...parts,
    },
  };
}

/** In this process. */
export async function perform(action: VaultAction, parts: SessionOptions['parts'] = {}): Promise<object & Verdict> {
  const { home, command } = action;
  const vault = join(home, 'vault');
  const options = optionsOf(action, parts);
  if (command.do === 'init') return await createVault(vault, { ...options, blockSize: BLOCK, compression: 'lz4' });
  const staging = command.do === 'backup' && command.staging !== undefined && { staging: join(home, command.staging) };
  await using session = await openVault(vault, { ...options, ...staging });
  return await performIn(session, action, command);
}

async function performIn(
  session: VaultSession,
  { home, acceptClock = false }: VaultAction,
  command: Exclude<VaultCommand, { do: 'init' }>,
): Promise<object & Verdict> {
  const at = (name: string): string => join(home, name);
  switch (command.do) {
    case 'backup':
      return await backup(
        session,
        command.item,
        command.disks.map((disk) => (disk.includes('=') ? disk : `${disk}=${at(`${disk}.raw`)}`)),
        {
          ...(command.post !== undefined && { post: command.post }),
          ...(command.type !== undefined && { type: command.type }),
        },
      );
    case 'restore':
      return await restore(session, command.ref, { to: at(command.to), force: command.force ?? false });
    case 'forget':
      return await forget(
        session,
        { refs: command.refs },
        { acceptClock, ...(command.gc && { gc: true, softDelete: 0, grace: 0 }) },
      );
    case 'forget by a rule':
      return await forget(session, { items: [command.item], rules: { last: command.last } }, { acceptClock });
    case 'unforget':
      return await unforget(session, command.refs);
    case 'pin':
      return await pin(session, command.ref);
    case 'unpin':
      return await unpin(session, command.ref);
    case 'protect':
      return await protect(session, { minRetention: command.minRetention, acceptClock });
    case 'key add':
      return await addKey(session, { passphrase: command.passphrase, label: command.label });
    case 'key change':
      return await changeKey(session, {
        passphrase: command.passphrase,
        ...(command.slot !== undefined && { slot: command.slot }),
      });
    case 'key remove':
      return await removeKey(session, command.slot);
    case 'repair':
      return await repairVault(session);
    case 'gc':
      return await gc(session, { grace: command.grace, softDelete: command.softDelete, acceptClock });
    default:
      return command satisfies never;
  }
}

if (import.meta.main) {
  try {
    const result = await perform(JSON.parse(process.argv[2]!) as VaultAction);
    process.stdout.write(JSON.stringify({ schema: 1, ...result }));
    process.exitCode = exitCodeOfResult(result);
  } catch (error) {
    const problem = toPlain(error);
    process.stdout.write(JSON.stringify({ schema: 1, error: problem }));
    process.exitCode = exitCodeOfError(problem.code);
  }
}
