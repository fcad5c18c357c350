import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MOUNT = 'mount';
const UNMOUNT = 'umount';

/** Root in a container often may not. */
export const canMount: boolean = tryMount();
/** Permissions bind everybody but root, who needs a mount. */
export const canMakeReadOnly: boolean = canMount || process.geteuid?.() !== 0;

export interface Mount extends Disposable {
  /** Leaves so many bytes of room. */
  leave(bytes: number): void;
  /** Leaves room for so many files and folders. */
  leaveFiles(count: number): void;
}

/** A file system in memory of so many bytes, in a folder that is made for it; gone with all in it at the end. */
export function mountMemory(path: string, bytes: number): Mount {
  mkdirSync(path, { recursive: true });
  execFileSync(MOUNT, ['-t', 'tmpfs', '-o', `size=${bytes},mode=0700`, 'tmpfs', path], { stdio: 'pipe' });
  return {
    leave: (room) => {
      const { blocks, bavail, bsize } = statfsSync(path);
      const size = (blocks - bavail) * bsize + room;
      execFileSync(MOUNT, ['-o', `remount,size=${Math.ceil(size)}`, path], { stdio: 'pipe' });
    },
    leaveFiles: (count) => {
      const { files, ffree } = statfsSync(path);
      execFileSync(MOUNT, ['-o', `remount,nr_inodes=${files - ffree + count}`, path], { stdio: 'pipe' });
    },
    [Symbol.dispose]: () => unmount(path),
  };
}

/** Nobody can write below `path` until the end. */
export function readOnly(path: string): Disposable {
  if (canMount) {
    execFileSync(MOUNT, ['--bind', path, path]);
    execFileSync(MOUNT, ['-o', 'remount,bind,ro', path]);
    return { [Symbol.dispose]: () => unmount(path) };
  }
  const all = [path, ...readdirSync(path, { recursive: true }).map((name) => join(path, String(name)))];
  const before = all.map((name) => [name, statSync(name).mode] as const);
  for (const [name, mode] of before) chmodSync(name, mode & 0o555);
  return {
    [Symbol.dispose]: () => {
      for (const [name, mode] of before) chmodSync(name, mode);
    },
  };
}

/** Lazily, since a process of a test may have been ended just now. */
function unmount(path: string): void {
  execFileSync(UNMOUNT, ['--lazy', path], { stdio: 'pipe' });
}

function tryMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'vhdvault-mount-'));
  try {
    mountMemory(folder, 1 << 20)[Symbol.dispose]();
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
