import { existsSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';

/** Where syncing costs nothing, if this machine has such a place. */
const MEMORY = '/dev/shm';

/**
 * A folder for one test file, removed at its end. Call it at the top; use the result inside of tests. `inMemory`: for
 * tests that run hundreds of small backups, where it is not the disk that is tested.
 */
export function tempFolder(options: { inMemory?: boolean } = {}): {
  readonly path: string;
  fresh: (name: string) => string;
} {
  let path = '';
  let count = 0;
  beforeAll(async () => {
    const parent = options.inMemory && existsSync(MEMORY) ? MEMORY : tmpdir();
    path = await realpath(await mkdtemp(join(parent, 'vhdvault-test-')));
  });
  afterAll(async () => {
    await rm(path, { recursive: true, force: true });
  });
  return {
    get path() {
      return path;
    },
    fresh: (name) => join(path, `${name}-${count++}`),
  };
}
