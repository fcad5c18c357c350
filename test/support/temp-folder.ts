import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';

/** A folder for one test file, removed at its end. Call it at the top; use the result inside of tests. */
export function tempFolder(): { readonly path: string; fresh: (name: string) => string } {
  let path = '';
  let count = 0;
  beforeAll(async () => {
    path = await realpath(await mkdtemp(join(tmpdir(), 'vhdvault-test-')));
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
