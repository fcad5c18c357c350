import { execFileSync } from 'node:child_process';

const LOSETUP = 'losetup';

/** Only root may make one, and not in every container. */
export const canLoop: boolean = losetup('--find') !== undefined;

/** A block device over a file, until the end. */
export function attachLoop(file: string, options: { readOnly?: boolean } = {}): Disposable & { path: string } {
  const path = losetup('--find', '--show', ...(options.readOnly ? ['--read-only'] : []), file);
  if (path === undefined) throw new Error(`no loop device could be made over ${file}`);
  return { path, [Symbol.dispose]: () => void losetup('--detach', path) };
}

function losetup(...words: string[]): string | undefined {
  try {
    return execFileSync(LOSETUP, words, { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return undefined;
  }
}
