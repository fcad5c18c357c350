import { describe, expect, test } from 'vitest';
import { chainText } from '../../src/report/chain-text.ts';
import { checkText } from '../../src/report/check-text.ts';
import { createText } from '../../src/report/create-text.ts';
import { mergeText } from '../../src/report/merge-text.ts';
import { repairText } from '../../src/report/repair-text.ts';
import { resizeText } from '../../src/report/resize-text.ts';
import { colored, plain } from './results.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
type Image = Parameters<typeof chainText>[0];

const base = {
  path: '/vm/base.vhd',
  format: 'vhd-fixed',
  fileSize: 40 * GIB + 512,
  currentSize: 40 * GIB,
  uniqueId: '3f2504e0-4f89-11d3-9a0c-0305e82c3301',
  blockSize: null,
  allocatedBlocks: null,
  parentUniqueId: null,
  parentName: null,
  parent: null,
};
const middle = {
  ...base,
  path: '/vm/middle.avhd',
  format: 'vhd-differencing',
  fileSize: 5 * GIB,
  uniqueId: '7af49fcb-0000-0000-0000-000000000000',
  blockSize: 2 * MIB,
  allocatedBlocks: 2560,
  parentUniqueId: base.uniqueId,
  parentName: 'C:\\vm\\base.vhd',
  parent: base,
};
const tip: Image = {
  ...middle,
  path: '/vm/tip.avhd',
  fileSize: 84 * MIB,
  uniqueId: '11111111-2222-0000-0000-000000000000',
  allocatedBlocks: 41,
  parent: middle,
  children: [],
  findings: [],
};
const child = (path: string, parent: string, facts: Image['parent'] = null): Image['children'][number] => ({
  path,
  parent,
  uniqueId: '9a9a9a9a-0000-0000-0000-000000000000',
  facts,
});
const finding = {
  severity: 'damage',
  code: 'VHD_PARENT_MISSING',
  what: 'the parent is missing',
  where: '/vm/middle.avhd',
  cure: 'put it there',
} as const;

describe('a chain', () => {
  test('is a tree, base first, one aligned row for each image, the asked one marked', () => {
    expect(chainText(tip, plain)).toMatchInlineSnapshot(`
      "/vm
      image               size  type            file  allocated  id
      base.vhd          40 GiB  fixed         40 GiB      100 %  3f2504e0
      └─ middle.avhd    40 GiB  differencing   5 GiB     12.5 %  7af49fcb
         └─ tip.avhd ◀  40 GiB  differencing  84 MiB      0.2 %  11111111
      3 images in 45 GiB"
    `);
  });

  test('shows what else depends on its images, before the next link, and what of that cannot be opened', () => {
    const children = [
      child('/vm/below/beside.vhd', base.path, { ...middle, uniqueId: '5c5c5c5c-1' }),
      child('/vm/hurt.vhd', middle.path),
      child('/elsewhere/a.vhd', tip.path, middle),
      child('/vm/b.vhd', tip.path, middle),
    ];
    expect(chainText({ ...tip, children }, plain)).toMatchInlineSnapshot(`
      "/vm
      image                        size  type            file  allocated  id
      base.vhd                   40 GiB  fixed         40 GiB      100 %  3f2504e0
      ├─ below/beside.vhd        40 GiB  differencing   5 GiB     12.5 %  5c5c5c5c
      └─ middle.avhd             40 GiB  differencing   5 GiB     12.5 %  7af49fcb
         ├─ hurt.vhd                     not opened                       9a9a9a9a
         └─ tip.avhd ◀           40 GiB  differencing  84 MiB      0.2 %  11111111
            ├─ /elsewhere/a.vhd  40 GiB  differencing   5 GiB     12.5 %  7af49fcb
            └─ b.vhd             40 GiB  differencing   5 GiB     12.5 %  7af49fcb
      3 images in 45 GiB; 4 other images depend on them"
    `);
  });

  test('that is broken begins with what its last image names, and ends with the trouble', () => {
    const broken = { ...tip, parent: { ...middle, parent: null }, findings: [finding] };
    expect(chainText(broken, plain)).toMatchInlineSnapshot(`
      "/vm
      image               size  type            file  allocated  id
      ? base.vhd                not opened                       3f2504e0
      └─ middle.avhd    40 GiB  differencing   5 GiB     12.5 %  7af49fcb
         └─ tip.avhd ◀  40 GiB  differencing  84 MiB      0.2 %  11111111
      2 images in 5 GiB
      damage (1)
        the parent is missing [VHD_PARENT_MISSING]
          where:  /vm/middle.avhd
          cure:   put it there"
    `);
    const nameless = { ...tip, parentName: '', parent: null };
    expect(chainText(nameless, plain)).toContain('? its parent');
  });

  test('of one image is one row', () => {
    const alone = { ...base, children: [], findings: [] };
    expect(chainText(alone, plain).split('\n')).toHaveLength(4);
    expect(chainText({ ...alone, children: [child('/vm/c.vhd', base.path)] }, plain)).toMatch(
      /^1 image in 40 GiB; 1 other image depends on it$/m,
    );
  });

  test('has its asked image in bold where there is colour, and no name of a file moves the terminal', () => {
    const text = chainText({ ...tip, path: '/vm/\x1b[2J\n.avhd' }, colored);
    expect(text).toContain('\x1b[1m   └─ ␛[2J␊.avhd ◀');
    expect(text).toContain('\x1b[1m/vm\x1b[22m');
  });
});

describe('a check', () => {
  const path = '/vm/a.vhd';

  test('tells findings with their offset, what was found and what the rule asks for, and ends with the verdict', () => {
    const findings = [
      { ...finding, code: 'VHD_BAT', what: 'an entry overlaps', offset: 1540, found: 3, expected: 'at least 8' },
      { ...finding, severity: 'warning', code: 'VHD_SLACK', what: 'garbage', offset: 0, cure: '' } as const,
    ];
    expect(checkText({ path, ok: false, findings }, plain)).toMatchInlineSnapshot(`
      "/vm/a.vhd
      damage (1)
        an entry overlaps [VHD_BAT]
          where:  /vm/middle.avhd
          at:     byte 1540, found 3, expected at least 8
          cure:   put it there
      warnings (1)
        garbage [VHD_SLACK]
          where:  /vm/middle.avhd
          at:     byte 0
      DAMAGE FOUND: 1 finding"
    `);
  });

  test('that finds nothing is two lines, and one with warnings counts them', () => {
    expect(checkText({ path, ok: true, findings: [] }, plain)).toBe('/vm/a.vhd\nno damage found');
    const warning = { ...finding, severity: 'warning' } as const;
    expect(checkText({ path, ok: true, findings: [warning, warning] }, plain)).toMatch(/no damage found, 2 warnings$/);
  });
});

describe('a repair', () => {
  const actions = [
    { what: 'the footer is written from its copy', offset: 4096, length: 512 },
    { what: 'the copy of the footer is written', offset: 0, length: 512 },
  ];
  const repaired = { path: '/vm/a.vhd', copy: '/vm/a.vhd.metadata', actions, findings: [], dryRun: false, ok: true };

  test('tells where the copy of the metadata is, and each change', () => {
    expect(repairText(repaired, plain)).toMatchInlineSnapshot(`
      "/vm/a.vhd
        the metadata as they were: /vm/a.vhd.metadata
        at 4096  512 bytes  the footer is written from its copy
           at 0  512 bytes  the copy of the footer is written
      2 changes made
      no damage found"
    `);
  });

  test('that is only tried says so, and one that has nothing to do too', () => {
    expect(repairText({ ...repaired, copy: null, dryRun: true }, plain)).toMatch(
      /^dry run: 2 changes would be made, nothing was written$/m,
    );
    expect(repairText({ ...repaired, copy: null, actions: [], findings: [finding], ok: false }, plain)).toMatch(
      /^nothing to repair: nothing was written\nDAMAGE FOUND: 1 finding$/m,
    );
  });
});

test('a new image is told with its size, type, block size, file and id, and its parent', () => {
  const created = { ...middle, findings: [], warnings: ['w'], notices: ['n'] };
  expect(createText(created, plain)).toMatchInlineSnapshot(`
    "created /vm/middle.avhd
      40 GiB differencing   blocks of 2 MiB   file 5 GiB   id 7af49fcb-0000-0000-0000-000000000000
      parent /vm/base.vhd
    note: n
    warning: w"
  `);
  expect(createText({ ...base, findings: [], warnings: [], notices: [] }, plain).split('\n')).toEqual([
    'created /vm/base.vhd',
    '  40 GiB fixed   file 40 GiB   id 3f2504e0-4f89-11d3-9a0c-0305e82c3301',
  ]);
});

test('a merge is told with what went where, who was adopted, and how fast it was', () => {
  const merged = {
    path: '/vm/base.vhd',
    format: 'vhd-dynamic',
    virtualSize: 40 * GIB,
    merged: ['/vm/middle.avhd', '/vm/tip.avhd'],
    adopted: ['/vm/b.vhd'],
    bytes: 3 * GIB,
    seconds: 6,
  };
  expect(mergeText(merged, plain)).toMatchInlineSnapshot(`
    "/vm/middle.avhd -> /vm/base.vhd
    /vm/tip.avhd -> /vm/base.vhd
      40 GiB dynamic   copied 3 GiB
      /vm/b.vhd is a child of it now
    2 images merged in 6 s (512 MiB/s)"
  `);
});

test('a resize is told with both sizes, and warnings but no remarks', () => {
  const resized = { ...base, before: 20 * GIB, findings: [] };
  expect(resizeText(resized, plain)).toMatchInlineSnapshot(`
    "/vm/base.vhd
      20 GiB -> 40 GiB fixed   file 40 GiB
    grown from 21474836480 to 42949672960 bytes"
  `);
  expect(resizeText({ ...resized, before: 60 * GIB }, plain)).toMatch(
    /^shrunk from 64424509440 to 42949672960 bytes$/m,
  );
  expect(resizeText({ ...resized, before: 40 * GIB }, plain)).toMatch(/nothing was changed$/);
  const remarks = [{ ...finding, severity: 'info' } as const, { ...finding, severity: 'warning' } as const];
  expect(resizeText({ ...resized, findings: remarks }, plain)).toMatch(/^warnings \(1\)$/m);
  expect(resizeText({ ...resized, findings: remarks }, plain)).not.toContain('remarks');
});
