import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { brokenLaws, readSources } from './support/house-laws.ts';

const sources = readSources(join(import.meta.dirname, '..'));
const print = (violations: ReturnType<typeof brokenLaws>): string[] =>
  violations.map(({ file, line, law }) => `${file}:${line} ${law}`);

describe('the house', () => {
  it('keeps its laws', () => {
    expect(sources.length).toBeGreaterThan(100);
    expect(print(brokenLaws(sources))).toEqual([]);
  });
});

it.each(['src/vault/FAILURES.md', 'src/vault/README.md', 'SECURITY.md'])('%s names tests that are there', (path) => {
  const root = join(import.meta.dirname, '..');
  const named = readFileSync(join(root, path), 'utf8').match(/`[\w/-]+\.test\.ts`/g) ?? [];
  expect(named.length).toBeGreaterThan(3);
  const paths = named.map((name) => name.slice(1, -1).replace(/^test\//, ''));
  expect(paths.filter((name) => !existsSync(join(root, 'test', name)))).toEqual([]);
});

describe('the test of the laws', () => {
  const broken: [string, string, string][] = [
    ['src/base/a.ts', "import { x } from '../io/x.ts';", 'base may import no other room, not io'],
    ['src/io/a.ts', "import type { x } from '../disk/x.ts';", 'io may import base, not disk'],
    ['src/vault/log/a.ts', "import { x } from '../../disk/x.ts';", 'vault never sees disk'],
    ['src/vault/a.ts', "export * from '../image/x.ts';", 'vault never sees image'],
    ['src/image/a.ts', "import '../vault/x.ts';", 'image never sees vault'],
    ['src/backup/a.ts', "import { x } from '../restore/x.ts';", 'not restore'],
    ['src/verify/a.ts', "const x = await import('../merge/x.ts');", 'not merge'],
    ['src/point/a.ts', "import { x } from '../cache/x.ts';", 'point may import base, disk, vault, not cache'],
    ['src/point/a.ts', "import { x } from '../vault/log/x.ts';", 'only through a file directly in it'],
    ['src/point/a.ts', "import {\n  x,\n  y,\n} from '../vault/log/x.ts';", 'only through a file directly in it'],
    ['src/report/a.ts', "import { x } from '../jobs/x.ts';", 'of jobs only types'],
    ['src/report/a.ts', "import type { x } from '../vault/x.ts';", 'of jobs only types'],
    ['src/cellar/a.ts', "import { x } from '../base/x.ts';", 'cellar is no room of this house'],
    ['workers/a.ts', "import { x } from '../src/cli/x.ts';", 'workers never import cli'],
    ['workers/a.ts', '\n'.repeat(30) + 'x', 'at most 30 lines'],
    ['src/image/a.ts', "import lz4 from 'lz4-napi';", 'vhd-parser, which needs no package'],
    ['src/cli/a.ts', '  process.exit(1);', 'process.exit is called nowhere'],
    ['src/jobs/a.ts', 'const t = Date.now();', 'time comes from base/clock'],
    ['src/cli/a.ts', 'const t = Math.random();', 'randomness comes from base/random'],
  ];

  it.each(broken)('catches a violation in %s: %s', (path, text, law) => {
    const found = print(brokenLaws([{ path, text }]));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(law);
    expect(found[0]).toContain(`${path}:${text.trimEnd().split('\n').length} `);
  });

  it('lets pass what is allowed, and what only a comment says', () => {
    const allowed = [
      ['src/report/a.ts', "import type { x } from '../jobs/types.ts';"],
      ['src/vault/log/a.ts', "import { x } from '../crypto/keys.ts';"],
      ['src/jobs/a.ts', "import { x } from '../backup/x.ts';"],
      ['src/io/a.ts', '/* not Date.now() */\n// nor process.exit()\nexport const x = 1;'],
      ['src/vault/a.ts', "import { x } from 'lz4-napi';"],
    ] as const;
    expect(brokenLaws(allowed.map(([path, text]) => ({ path, text })))).toEqual([]);
  });
});
