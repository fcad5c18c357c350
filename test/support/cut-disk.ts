import { execFileSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { canLoop } from './loop-device.ts';
import { canMount } from './mounts.ts';

/** Of ext4 and others: all that is not on the disk yet is lost, as when the power goes. */
const SHUTDOWN = `import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))`;
const BYTES = 48 << 20;

/** A file system that lies in a file, and that the power can be cut of. */
export interface CutDisk extends Disposable {
  cut(): void;
  /** With nothing but what was durable. Nobody may have a file open there. */
  comeBack(): void;
}

/** Whether the kernel lets this process do so. */
export const canCut: boolean = canMount && canLoop;
export const hasDiskTools: boolean = hasAll();

/** Makes an empty ext4. */
export function makeDisk(file: string): void {
  writeFileSync(file, '');
  truncateSync(file, BYTES);
  tool('mkfs.ext4', '-q', '-m', '0', '-J', 'size=4', file);
}

export function mountDisk(file: string, path: string): CutDisk {
  mkdirSync(path, { recursive: true });
  const mount = (): void => tool('mount', '-o', 'loop', file, path);
  mount();
  return {
    cut: () => tool('python3', '-I', '-S', '-c', SHUTDOWN, path),
    comeBack() {
      tool('umount', path);
      mount();
    },
    [Symbol.dispose]: () => tool('umount', path),
  };
}

function hasAll(): boolean {
  try {
    tool('mkfs.ext4', '-V');
    tool('python3', '-V');
    return true;
  } catch {
    return false;
  }
}

/** The system's own first: others may be slow to start. */
function tool(name: string, ...words: string[]): void {
  execFileSync(name, words, { stdio: 'pipe', env: { ...process.env, PATH: `/usr/bin:/usr/sbin:${process.env.PATH}` } });
}
