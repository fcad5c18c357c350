import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

it('every claim of SECURITY.md names a test that is there', async () => {
  const words = await readFile(join(ROOT, 'SECURITY.md'), 'utf8');
  const named = [...words.matchAll(/`(test\/[^`]*\.test\.ts)`/g)].map(([, path]) => path as string);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
