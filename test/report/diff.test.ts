import { beforeAll, describe, expect, test } from 'vitest';
import type { DiffCell, DiffDisk, DiffResult } from '../../src/jobs/diff-types.ts';
import { diffSvg } from '../../src/report/diff-svg.ts';
import { diffText, shareText } from '../../src/report/diff-text.ts';
import { escapeXml } from '../../src/report/svg.ts';
import { colored, plain } from './results.ts';

beforeAll(() => {
  process.env.TZ = 'Europe/Berlin';
});

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const nothing: DiffCell = { rewritten: 0, added: 0, removed: 0, kept: 0 };

function disk(changes: Partial<DiffDisk>): DiffDisk {
  const { name = 'os', size = 40 * GIB } = changes;
  return {
    ...{ name, size, before: { name, size }, blockSize: 131072, changed: [], changedBytes: 0 },
    blocks: { total: size / 131072, changed: 0, added: 0, removed: 0 },
    strip: new Array(64).fill(0),
    ...changes,
  };
}

const result: DiffResult = {
  from: { item: 'web01', point: 'p7e2d90aa55667788', time: '2026-11-22T09:00:00Z' },
  to: { item: 'web01', point: 'p9c1fa2b300112233', time: '2026-11-22T17:54:12Z' },
  disks: [
    disk({
      changed: [
        { offset: 131072, length: 131072 },
        { offset: 5 * GIB, length: 12 * MIB },
      ],
      changedBytes: 12 * MIB + 131072,
      strip: Array.from({ length: 64 }, (_, slice) => (slice === 8 ? 0.02 : 0)),
    }),
    disk({ name: 'data', size: 500 * GIB, before: { name: 'data', size: 400 * GIB } }),
  ],
  warnings: [],
};

describe('a difference in words', () => {
  test('is a row per disk that lines up, and the largest ranges, in units and in bytes', () => {
    expect(diffText(result, plain)).toMatchInlineSnapshot(`
      "web01@p7e2d90a (2026-11-22 10:00) -> web01@p9c1fa2b (2026-11-22 18:54)
        os     40 GiB  changed  12.1 MiB  < 0.1 %  2 ranges  ▁▁▁▁▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
        data  500 GiB  changed       0 B      0 %  0 ranges  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
        data grew from 400 GiB (429496729600 bytes) to 500 GiB (536870912000 bytes)
      os, what differs
             at        byte   length     bytes
          5 GiB  5368709120   12 MiB  12582912
        128 KiB      131072  128 KiB    131072"
    `);
  });

  test('that is none says so', () => {
    const none = { ...result, disks: [disk({})], warnings: ['old is not in it'], svg: '/tmp/d.svg' };
    expect(diffText(none, plain)).toMatchInlineSnapshot(`
      "web01@p7e2d90a (2026-11-22 10:00) -> web01@p9c1fa2b (2026-11-22 18:54)
        os  40 GiB  changed  0 B  0 %  0 ranges  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
      no difference
      warning: old is not in it
      picture: /tmp/d.svg"
    `);
  });

  test('names no more than the ten largest ranges, the first of equals first', () => {
    const changed = Array.from({ length: 30 }, (_, n) => ({ offset: n * MIB, length: (1 + (n % 15)) * 1024 }));
    const lines = diffText({ ...result, disks: [disk({ changed, changedBytes: 1 })] }, plain).split('\n');
    expect(lines.slice(2, 6)).toEqual([
      'os, the 10 largest of 30 ranges',
      '      at      byte  length  bytes',
      '  14 MiB  14680064  15 KiB  15360',
      '  29 MiB  30408704  15 KiB  15360',
    ]);
    expect(lines).toHaveLength(14);
  });

  test('has colour only where the look says so', () => {
    expect(diffText(result, plain)).not.toContain('\x1b');
    expect(diffText(result, colored)).toContain('\x1b[1mweb01@p7e2d90a\x1b[22m');
  });

  test('rounds no share to nothing or to all', () => {
    expect([0, 1e-9, 0.0049, 0.5, 0.9999, 1].map(shareText)).toEqual([
      '0 %',
      '< 0.1 %',
      '0.5 %',
      '50.0 %',
      '> 99.9 %',
      '100 %',
    ]);
  });
});

/** Names of all elements; throws where a tag is not closed, an attribute not quoted, or a character not escaped. */
function elements(xml: string): string[] {
  const names: string[] = [];
  const open: string[] = [];
  const rest = xml.replace(
    /<(\/?)([a-z]+)((?: [a-zA-Z0-9:-]+="[^"<]*")*)(\/?)>/g,
    (_, close, name, attributes, empty) => {
      if (/&(?!(amp|lt|gt|quot|#39);)/.test(attributes)) throw new Error(`a bare & in ${attributes}`);
      if (close && open.pop() !== name) throw new Error(`</${name}> closes nothing`);
      if (!close) names.push(name);
      if (!close && !empty) open.push(name);
      return '';
    },
  );
  if (open.length > 0) throw new Error(`${open.join(', ')} not closed`);
  if (/[<>]|&(?!(amp|lt|gt|quot|#39);)/.test(rest)) throw new Error(`not escaped: ${rest.slice(0, 100)}`);
  return names;
}

function pictured(cells: DiffCell[], changes: Partial<DiffDisk> = {}): DiffResult {
  const picture = { cellBytes: 131072, bytes: { ...nothing, kept: 131072 }, cells };
  return { ...result, disks: [disk({ size: cells.length * 131072, picture, ...changes })] };
}

describe('a difference as a picture', () => {
  test.each([1, 3, 100, 512, 513, 2048])('is well-formed, with one mark for each of %d cells, all inside', (count) => {
    const kinds = ['rewritten', 'added', 'removed', 'kept'] as const;
    const cells = Array.from({ length: count }, (_, n) => ({
      ...nothing,
      [kinds[n % 5] ?? 'kept']: n % 5 === 4 ? 0 : 1,
    }));
    const svg = diffSvg(pictured(cells));
    const names = elements(svg);
    const [paper, legend, ramp] = [1, 5, 4];
    expect(names.filter((name) => name === 'rect')).toHaveLength(paper + legend + ramp + count);
    const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.map(Number) as [number, number, number];
    for (const [, x, y, side] of svg.matchAll(/<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"/g)) {
      expect(Number(x) + Number(side)).toBeLessThanOrEqual(width);
      expect(Number(y) + Number(side)).toBeLessThan(height);
    }
  });

  test('needs nothing from elsewhere: no script, no link, no font', () => {
    const svg = diffSvg(pictured([{ ...nothing, rewritten: 1 }]));
    expect(
      elements(svg)
        .toSorted()
        .filter((name, n, all) => all[n - 1] !== name),
    ).toEqual(['desc', 'g', 'line', 'rect', 'style', 'svg', 'text', 'title']);
    expect(svg.replace('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(
      /http|href|url\(|@import|@font-face| on[a-z]+=/,
    );
    expect(svg).toContain('@media (prefers-color-scheme: dark)');
  });

  test('tells a screen reader what it shows', () => {
    const svg = diffSvg(result);
    expect(svg).toContain('role="img" aria-labelledby="what details"');
    expect(svg).toContain('<title id="what">What changed on web01</title>');
    expect(svg).toMatch(
      /<desc id="details">[^<]*os, 40 GiB: 12.1 MiB \(&lt; 0.1 %\) differ in 2 ranges. data, grew from 400 GiB to 500 GiB: no difference.<\/desc>/,
    );
  });

  test('shows the smallest change of a cell full of data, in the colour of the most frequent change', () => {
    const few = { rewritten: 0.001, added: 0.002, removed: 0, kept: 0.9 };
    const svg = diffSvg(pictured([few]));
    expect(svg).toMatch(
      /<g class="a o1"><rect [^>]+><title>at 0: rewritten 131 B, newly written 262.1 B, unchanged data 115.2 KiB<\/title><\/rect><\/g>/,
    );
  });

  test('is well-formed whatever things are called', () => {
    const name = `</text><script>alert("1")</script>&amp;'\u0000\uD800`;
    const odd = pictured([{ ...nothing, added: 1 }], { name, before: { name: '<&>', size: 131072 } });
    const svg = diffSvg({ ...odd, from: { ...odd.from, item: name }, to: { ...odd.to, item: '"&<' } });
    expect(elements(svg)).not.toContain('script');
    expect(svg).toContain('&lt;/text&gt;&lt;script&gt;');
    expect(escapeXml(`"'`)).toBe('&quot;&#39;');
    expect(escapeXml('a\u0000b\uD800c\u{1F4BE}\t')).toBe('a\uFFFDb\uFFFDc\u{1F4BE}\t');
  });

  test('is checked by something that finds what is wrong', () => {
    for (const wrong of [
      '<a><b></a></b>',
      '<a>',
      '<a b=c/>',
      '<a b="<"/>',
      '<a>&</a>',
      '<a b="&x;"/>',
      '</a>',
      '<a>></a>',
    ]) {
      expect(() => elements(wrong), wrong).toThrow();
    }
  });
});
