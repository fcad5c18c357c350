import { beforeAll, describe, expect, test } from 'vitest';
import type { StatsResult } from '../../src/jobs/point-types.ts';
import { backupText } from '../../src/report/backup-text.ts';
import { convertText } from '../../src/report/convert-text.ts';
import { factsText } from '../../src/report/facts-text.ts';
import { initText } from '../../src/report/init-text.ts';
import { itemsText } from '../../src/report/items-text.ts';
import { mapText } from '../../src/report/map-text.ts';
import { pointsText } from '../../src/report/points-text.ts';
import { problemText } from '../../src/report/problem-text.ts';
import { restoreText } from '../../src/report/restore-text.ts';
import { scrubText } from '../../src/report/scrub-text.ts';
import { showText } from '../../src/report/show-text.ts';
import { statsText } from '../../src/report/stats-text.ts';
import { verifyText } from '../../src/report/verify-text.ts';
import { backupResult, colored, damagedResult, plain, pointSummary, restoreResult, showResult } from './results.ts';

beforeAll(() => {
  process.env.TZ = 'Europe/Berlin';
});

describe('a backup', () => {
  test('is told in one aligned row per disk, with where it changed, and a line that it is saved', () => {
    expect(backupText(backupResult, plain)).toMatchInlineSnapshot(`
      "web01  incremental on p7e2d90a (10:00)  compared with the checksum table
        os    40 GiB dynamic   read 9.1 GiB  changed 212 MiB  stored  74 MiB  ▁▁█▁▁▁▁▁▁▁▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
        data 500 GiB fixed     read 500 GiB  changed 1.3 GiB  stored 402 MiB  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁
      point p9c1fa2b saved in 4 min 12 s (2 GiB/s), crash-consistent"
    `);
  });

  test('tells warnings, notices and healed blocks, each on a line of its own', () => {
    const text = backupText(
      { ...backupResult, disks: [], warnings: ['disk data is new'], notices: ['a lock was taken over'], healed: 2 },
      plain,
    );
    expect(text).toMatchInlineSnapshot(`
      "web01  incremental on p7e2d90a (10:00)  compared with the checksum table
      note: a lock was taken over
      note: 2 blocks stored again: their copies in the vault are quarantined
      warning: disk data is new
      point p9c1fa2b saved in 4 min 12 s (2 GiB/s), crash-consistent"
    `);
  });

  test('of a full point names no base, and one of another day tells its date', () => {
    expect(backupText({ ...backupResult, type: 'full', base: null, disks: [] }, plain)).toMatch(
      /^web01 {2}full {2}comp/,
    );
    const old = { ...backupResult, base: { point: 'p7e2d90aa55667788', time: '2026-11-20T09:00:00Z' } };
    expect(backupText(old, plain)).toContain('incremental on p7e2d90a (2026-11-20 10:00)');
  });

  test('has colour only where the look says so', () => {
    expect(backupText(backupResult, plain)).not.toContain('\x1b');
    expect(backupText(backupResult, colored)).toContain('\x1b[32mpoint p9c1fa2b saved\x1b[39m');
  });
});

describe('lists', () => {
  test('of points are tables in local time, newest last', () => {
    const later: typeof pointSummary = {
      ...pointSummary,
      point: 'p7e2d90ab00000000',
      time: '2026-11-22T23:30:00Z',
      type: 'incremental',
      disks: pointSummary.disks.slice(0, 1),
      bytes: { read: 1, changed: 0, stored: 1536 },
    };
    expect(pointsText({ points: [pointSummary, later], warnings: [] }, plain)).toMatchInlineSnapshot(`
      "item   point      time              type         consistency     size  changed   stored  disks
      web01  p7e2d90aa  2026-11-22 10:00  full         crash        540 GiB  300 GiB  120 GiB  os, data
      web01  p7e2d90ab  2026-11-23 00:30  incremental  crash         40 GiB      0 B  1.5 KiB  os"
    `);
  });

  test('of points have a column of tags where any point has some', () => {
    const tagged = { ...pointSummary, tags: ['monthly', 'keep'] };
    const lines = pointsText({ points: [pointSummary, tagged], warnings: [] }, plain).split('\n');
    expect(lines.map((line) => line.slice(-30))).toEqual([
      expect.stringMatching(/disks {5}tags$/),
      expect.stringMatching(/os, data$/),
      expect.stringMatching(/os, data {2}monthly, keep$/),
    ]);
  });

  test('that are empty say so', () => {
    expect(pointsText({ points: [], warnings: ['x'] }, plain)).toBe('no points\nwarning: x');
    expect(itemsText({ items: [], warnings: [] }, plain)).toBe('no items');
  });

  test('of items are tables', () => {
    const item = {
      item: 'web01',
      points: 12,
      latest: 'p9c1fa2b300112233',
      time: '2026-11-22T09:00:00Z',
      virtualSize: 1024 ** 4,
      disks: ['os', 'data'],
      stored: 0,
    };
    expect(itemsText({ items: [item], warnings: [] }, plain)).toMatchInlineSnapshot(`
      "item   points  latest    time               size  stored  disks
      web01      12  p9c1fa2b  2026-11-22 10:00  1 TiB     0 B  os, data"
    `);
  });
});

test('a point in full shows ids whole, and each disk with its source', () => {
  expect(showText(showResult, plain)).toMatchInlineSnapshot(`
    "web01@p7e2d90aa55667788
      time               2026-11-22 10:00
      type               full
      consistency        crash
      number in the log  3
      started            2026-11-22 09:55, took 5 min
      boot disk          os
      made by            vhdvault 0.1.0
      bytes              read 509 GiB, changed 300 GiB, stored 120 GiB
      unique             74 MiB in 1500 blocks and 1 map page
      shared             119 GiB in 1400000 blocks and 5470 map pages
      reason             the first point of the item
      tags               weekly, keep
      disk os, 40 GiB (42949672960 bytes)
        source       /images/os.vhd
                     vhd-dynamic, blocks of 2 MiB, unique id 3f2504e0-4f89-11d3-9a0c-0305e82c3301, creator win
        block size   128 KiB
        bytes        read 9.1 GiB, changed 212 MiB, stored 74 MiB
        fingerprint  ffee
        root         aa"
  `);
});

describe('a point in full', () => {
  const { point } = showResult;

  test('tells the end of what hooks printed, and nothing that would move the cursor of a terminal', () => {
    const lines = Array.from({ length: 22 }, (_, n) => `line ${n + 1}`);
    const hooks = { outcome: 'failed', output: `${lines.join('\r\n')}\n\x1b[31mred\x1b[0m\x07\x1b[2J!\n\n` } as const;
    const text = showText({ ...showResult, point: { ...point, hooks, disks: [] } }, plain);
    expect(text.slice(text.indexOf('  hooks'))).toBe(
      `  hooks              failed\n    (3 lines before)\n${[...lines.slice(3), 'red !'].map((line) => `    ${line}`).join('\n')}`,
    );
    expect(
      showText({ ...showResult, point: { ...point, hooks: { outcome: 'succeeded', output: '' } } }, plain),
    ).toMatch(/hooks +succeeded\n {2}disk/);
  });

  test('says where it holds nothing of its own, and where that cannot be told', () => {
    const unique = { bytes: 0, blocks: 0, pages: 0 };
    const text = showText({ ...showResult, point: { ...point, unique, shared: null } }, plain);
    expect(text).toMatch(/unique +nothing\n/);
    expect(text).toMatch(/shared +cannot tell\n/);
  });
});

describe('the statistics of a vault', () => {
  const MIB = 1024 ** 2;
  const stats: StatsResult['stats'] = {
    ...{ vault: '/srv/vault', id: 'aa', items: 3, points: 14, logEntries: 30, since: '2026-11-20T09:00:00Z' },
    ...{ virtualBytes: 7.5 * MIB * MIB, fullBytes: 3 * MIB * MIB, uniqueBytes: 0.5 * MIB * MIB, packs: 6212 },
    ...{ segments: 14, storedBytes: 0.2 * MIB * MIB, saved: { byDedup: 6, byCompression: 2.5 }, free: null },
    byItem: [
      { item: 'db', points: 1, virtualSize: 40 * MIB, fullBytes: null, stored: 1 },
      { item: 'mail', points: 1, virtualSize: 40 * MIB, fullBytes: 20 * MIB, stored: 0 },
      { item: 'web01', points: 12, virtualSize: 540 * 1024 * MIB, fullBytes: 3 * MIB * MIB, stored: 200 * 1024 * MIB },
    ],
    growth: [{ item: 'web01', point: 'p7e2d90aa55667788', time: '2026-11-20T09:00:00Z', stored: 120 * 1024 * MIB }],
  };

  test('go from what the points would take to what the vault takes, then tell by item and point', () => {
    expect(statsText({ stats, warnings: ['x'] }, plain)).toMatchInlineSnapshot(`
      "/srv/vault  14 points of 3 items since 2026-11-20 10:00, 30 log entries
        virtual    7.5 TiB  the disks of all points
        full         3 TiB  without zeros: what a full copy of each point would take
        unique     512 GiB  equal blocks once: 6.0 times less
        stored   204.8 GiB  compressed, in 6212 packs and 14 index segments: 2.5 times less
      item   points     size     full   stored
      db          1   40 MiB  unknown      1 B  ▏
      mail        1   40 MiB   20 MiB      0 B
      web01      12  540 GiB    3 TiB  200 GiB  ████████████████
      largest growth
        web01@p7e2d90a  2026-11-20 10:00  120 GiB
      warning: x"
    `);
  });

  test('of an empty vault claim no savings', () => {
    const none = {
      items: 0,
      points: 0,
      since: null,
      virtualBytes: 0,
      fullBytes: 0,
      uniqueBytes: 0,
      packs: 0,
      segments: 0,
    };
    const saved = { byDedup: null, byCompression: null };
    const empty = { ...stats, ...none, storedBytes: 0, saved, free: 5 * MIB, byItem: [], growth: [] };
    expect(statsText({ stats: empty, warnings: [] }, plain)).toMatchInlineSnapshot(`
      "/srv/vault  no points, 30 log entries
        virtual    0 B  the disks of all points
        full       0 B  without zeros: what a full copy of each point would take
        unique     0 B  equal blocks once
        stored     0 B  compressed, in 0 packs and 0 index segments
        free     5 MiB  where the vault lies"
    `);
  });
});

test('a restore tells what was read, written and skipped, and where it went', () => {
  expect(restoreText(restoreResult, plain)).toMatchInlineSnapshot(`
    "web01@p7e2d90a
      os 40 GiB dynamic   read 10 GiB  written 10 GiB  skipped 30 GiB  /restored/os.vhd
    1 disk restored in 10 s (1 GiB/s)"
  `);
});

test('a dry run tells only what would be written', () => {
  expect(restoreText({ ...restoreResult, dryRun: true }, plain)).toMatchInlineSnapshot(`
    "web01@p7e2d90a
      os 40 GiB dynamic   /restored/os.vhd
    dry run: nothing was written; only the block maps were read, and \`vhdvault verify web01@p7e2d90aa55667788 --read-data\` reads the data"
  `);
});

test('a restore from a damaged vault lists what is lost, twenty ranges of a disk at most', () => {
  const [os] = restoreResult.disks;
  const lost = Array.from({ length: 22 }, (_, n) => ({ offset: n * 2 ** 30, length: 131072 }));
  const hurt = { ...os!, lost, lostBytes: 22 * 131072 };
  const data = { ...os!, name: 'data', lost: [{ offset: 33554432, length: 1024 }], lostBytes: 1024 };
  const lines = restoreText({ ...restoreResult, disks: [hurt, os!, data], warnings: ['os: lost'] }, plain).split('\n');
  expect([...lines.slice(4, 8), ...lines.slice(-9)]).toMatchInlineSnapshot(`
    [
      "os, lost: 2.7 MiB in 22 ranges",
      "      at         byte   length   bytes",
      "     0 B            0  128 KiB  131072",
      "   1 GiB   1073741824  128 KiB  131072",
      "  17 GiB  18253611008  128 KiB  131072",
      "  18 GiB  19327352832  128 KiB  131072",
      "  19 GiB  20401094656  128 KiB  131072",
      "  and 2 more: --json lists all",
      "data, lost: 1 KiB in 1 range",
      "      at      byte  length  bytes",
      "  32 MiB  33554432   1 KiB   1024",
      "warning: os: lost",
      "3 disks restored but for 2.7 MiB in 10 s (3 GiB/s)",
    ]
  `);
  expect(lines).toHaveLength(1 + 3 + (1 + 1 + 20 + 1) + (1 + 1 + 1) + 1 + 1);
  expect(restoreText({ ...restoreResult, disks: [data] }, colored)).toContain('\x1b[31mdata, lost: 1 KiB in 1 range');
});

describe('a verification', () => {
  test('groups findings, the worst first, each with its points and cure, and ends with the verdict', () => {
    expect(verifyText(damagedResult, plain)).toMatchInlineSnapshot(`
      "damage (1)
        a pack does not match its name [PACK_HASH]
          where:  packs/ab/abcd
          points: web01@p7e2d90a, web01@p9c1fa2b
          lost:   128 KiB at byte 0 of os in web01@p7e2d90a, 3 MiB at byte 1610612736 of data in web01@p9c1fa2b
          cure:   vhdvault backup web01 heals it
      remarks (1)
        a staging location of a dead job [LEFTOVER]
          where:  AzureBackup-12
      checked 3 points, 4 log entries, 7 packs, 1 index segment, 2048 blocks, 256 MiB in 3.1 s
      DAMAGE FOUND: 1 finding, touching 2 points"
    `);
  });

  test('marks points that are forgotten already', () => {
    const [, damage] = damagedResult.findings;
    const [first, second] = damage!.points;
    const findings = [{ ...damage!, forgotten: [second!] }];
    const text = verifyText({ ...damagedResult, findings }, plain);
    expect(first).toContain('p7e2d90a');
    expect(text).toContain('points: web01@p7e2d90a, web01@p9c1fa2b (forgotten)\n');
  });

  test('that read no data says so', () => {
    const result = { ...damagedResult, ok: true, findings: [], checked: { ...damagedResult.checked, bytes: 0 } };
    expect(verifyText(result, plain)).toMatch(/2048 blocks, no data read in 3\.1 s$/m);
  });

  test('without findings is two lines', () => {
    expect(verifyText({ ...damagedResult, ok: true, findings: [] }, plain)).toMatchInlineSnapshot(`
      "checked 3 points, 4 log entries, 7 packs, 1 index segment, 2048 blocks, 256 MiB in 3.1 s
      no damage found"
    `);
  });

  test('names no more than six points of one finding', () => {
    const points = Array.from({ length: 9 }, (_, n) => `p${n}000000000000000`);
    const findings = damagedResult.findings.slice(1).map((finding) => ({ ...finding, points }));
    expect(verifyText({ ...damagedResult, findings }, plain)).toContain('p5000000 and 3 more\n');
  });

  test('names three of the ranges that a finding takes away, and counts the others', () => {
    const ranges = Array.from({ length: 5 }, (_, n) => ({
      point: 'a@p00000001',
      disk: 'os',
      offset: n * 1024,
      length: 512,
    }));
    const findings = damagedResult.findings.slice(1).map((finding) => ({ ...finding, ranges, moreRanges: 7 }));
    const lost = '512 B at byte 2048 of os in a@p0000000 and 9 more ranges (--json)\n';
    expect(verifyText({ ...damagedResult, findings }, plain)).toContain(lost);
  });

  test('with a sample says how much was read, and how many such runs read everything', () => {
    const sampled = { from: 90, to: 0, packs: 2, ofPacks: 7, bytes: 96 * 2 ** 20, ofBytes: 2 ** 30, runs: 10 };
    const result = { ...damagedResult, ok: true, findings: [], sampled };
    expect(verifyText(result, plain).split('\n')[1]).toMatchInlineSnapshot(
      `"read 2 of 7 packs, 96 MiB of 1 GiB; the next such run goes on at 0.0 % of the names, 10 such runs read everything"`,
    );
    const all = { ...sampled, packs: 7, bytes: 2 ** 30, runs: 1 };
    expect(verifyText({ ...result, sampled: all }, plain)).toContain('read 7 of 7 packs, 1 GiB of 1 GiB: everything\n');
  });
});

describe('a scrub', () => {
  const checked = { entries: 4, checkpoints: 1, slots: 2, packs: 7, segments: 1, lists: 0, bytes: 256 * 2 ** 20 };

  test('says what it looked at, and what it does not mean', () => {
    expect(scrubText({ ok: true, checked, findings: [], seconds: 3.14 }, plain)).toMatchInlineSnapshot(`
      "scrubbed 7 packs, 1 index segment, 4 log entries, 2 key slots, 256 MiB in 3.1 s
      not told without the key: what is missing, what it hits, the newest log entry and what is in key slots (\`vhdvault verify\`)
      every name tells its bytes: no damage found"
    `);
    const finding = { severity: 'damage', code: 'PACK', what: 'a pack', where: 'packs/ab/abcd', cure: '' } as const;
    const text = scrubText({ ok: false, checked, findings: [finding], seconds: 1 }, plain);
    expect(text).toContain('damage (1)\n  a pack [PACK]\n');
    expect(text).toMatch(/DAMAGE FOUND: 1 finding$/);
  });
});

describe('images', () => {
  test('are described in the words of the specification, parents after children, without what they do not have', () => {
    const facts = {
      path: '/child.avhd',
      format: 'vhd-differencing',
      currentSize: 2 ** 30,
      timestamp: null,
      geometry: { cylinders: 520, heads: 16, sectorsPerTrack: 63 },
      locators: [
        { code: 'W2ru', path: '.\\base.vhd' },
        { code: 'MacX', path: null },
      ],
      parent: { path: '/base.vhd', format: 'vhd-dynamic', blockSize: 2097152, locators: [], parent: null },
    };
    const finding = {
      severity: 'warning',
      code: 'VHD_FOOTER_COPY_USED',
      what: 'odd',
      where: 'byte 0',
      cure: '',
    } as const;
    expect(factsText(facts, plain, [finding])).toMatchInlineSnapshot(`
      "/child.avhd
        format       vhd-differencing
        currentSize  1073741824 (1 GiB)
        geometry     cylinders 520, heads 16, sectorsPerTrack 63
        locators     code W2ru, path .\\base.vhd
                     code MacX, path null
      parent 1 of 1: /base.vhd
        format     vhd-dynamic
        blockSize  2097152 (2 MiB)
      warnings (1)
        odd [VHD_FOOTER_COPY_USED]
          where:  byte 0"
    `);
  });

  test('are mapped as a table of extents with a sum', () => {
    const result = {
      file: '/a.vhd',
      format: 'vhd-dynamic',
      virtualSize: 4194304,
      extents: [
        { offset: 0, length: 2097152, kind: 'zero' },
        { offset: 2097152, length: 2097152, kind: 'data' },
      ],
    };
    expect(mapText(result)).toMatchInlineSnapshot(`
      " offset   length  kind
            0  2097152  zero
      2097152  2097152  data
      2 extents, 4 MiB of dynamic: 2 MiB zero, 2 MiB data"
    `);
  });

  test('that were converted are told with their bytes', () => {
    const bytes = { read: 2048, written: 1024, skipped: 0 };
    const result = { source: '/a.vhd', path: '/b.raw', format: 'raw', virtualSize: 2048, bytes, seconds: 0.5 };
    expect(convertText(result, plain)).toMatchInlineSnapshot(`
      "/a.vhd -> /b.raw
        2 KiB raw   read 2 KiB   written 1 KiB   skipped 0 B
      converted in 500 ms (4 KiB/s)"
    `);
  });
});

describe('a new vault', () => {
  const result = { vault: '/v', id: 'v1', blockSize: 131072, compression: 'lz4', encrypted: true } as const;

  test('comes with the advice to keep its key', () => {
    expect(initText(result, plain)).toMatchInlineSnapshot(`
      "vault v1 made in /v
        blocks of 128 KiB, lz4 compression, encrypted
      keep the passphrase or key file safe: without it nobody can read this vault again"
    `);
  });

  test('that is not encrypted says so loudly', () => {
    expect(initText({ ...result, encrypted: false }, plain)).toContain('NOT encrypted');
  });
});

test('a problem is told with its code, then its cure; usage only for wrong usage', () => {
  expect(problemText({ code: 'NO_SPACE', message: 'no space', hint: 'free some', details: {} }, plain)).toBe(
    'vhdvault: no space [NO_SPACE]\nfree some',
  );
  const problem = { code: 'USAGE', message: 'wrong', hint: 'look', details: { usage: 'vhdvault points' } } as const;
  expect(problemText(problem, plain)).toBe('vhdvault: wrong [USAGE]\nusage: vhdvault points\nlook');
});
