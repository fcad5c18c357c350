import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';

/** A folder for the images of one test file, removed at its end. Call it at the top; use the result inside of tests. */
export function imageFolder(): { readonly path: string; file: (name: string) => string } {
  let path = '';
  beforeAll(async () => {
    path = await realpath(await mkdtemp(join(tmpdir(), 'vhdvault-image-')));
  });
  afterAll(async () => {
    await rm(path, { recursive: true, force: true });
  });
  return {
    get path() {
      return path;
    },
    file: (name) => join(path, name),
  };
}
