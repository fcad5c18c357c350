import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

it('every claim of SECURITY.md names a file that has tests, of which none is left out', async () => {
  const words = await readFile(join(ROOT, 'SECURITY.md'), 'utf8');
  const named = [...words.matchAll(/`(test\/[^`]*\.test\.ts)`/g)].map(([, path]) => path as string);
  expect(named.length).toBeGreaterThan(20);
  const texts = await Promise.all(named.map((path) => readFile(join(ROOT, path), 'utf8').catch(() => '')));
  expect(named.filter((_, n) => !/^\s*(it|test)(\.\w+)*\(/m.test(texts[n] as string))).toEqual([]);
  expect(named.filter((_, n) => /\.(skip|todo|only)\(/.test(texts[n] as string))).toEqual([]);
});
