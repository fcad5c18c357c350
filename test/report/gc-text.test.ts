import { beforeAll, describe, expect, test } from 'vitest';
import type { GcResult } from '../../src/jobs/gc-types.ts';
import { gcText } from '../../src/report/gc-text.ts';
import { plain } from './results.ts';

const MIB = 2 ** 20;
const nothing: GcResult = {
  dryRun: false,
  condemned: { points: 0, packs: 0, bytes: 0 },
  abandoned: [],
  repacked: { packs: 0, into: 0, bytes: 0 },
  merged: { segments: 0, into: 0 },
  swept: { packs: 0, segments: 0, leftovers: 0, bytes: 0 },
  freedBytes: 0,
  freedLater: [],
  forgottenLater: [],
  unfinished: [],
  softDelete: 14 * 86_400,
  grace: 86_400,
  warnings: [],
  notices: [],
  seconds: 0.131,
};
const all: GcResult = {
  ...nothing,
  condemned: { points: 4, packs: 2, bytes: 64 * MIB },
  abandoned: [
    { item: 'web01', opened: '2026-11-20T09:00:00.000Z' },
    { item: '(gc)', opened: '2026-11-20T10:00:00.000Z' },
    { item: null, opened: '2026-11-20T11:00:00.000Z' },
  ],
  repacked: { packs: 7, into: 2, bytes: 29 * MIB },
  merged: { segments: 8, into: 1 },
  swept: { packs: 9, segments: 3, leftovers: 0, bytes: 192 * MIB },
  freedBytes: 192 * MIB,
  freedLater: [{ bytes: 93 * MIB, at: '2026-11-24T09:01:00.000Z' }],
  warnings: ['pack 12ab cannot be read whole'],
  notices: ['the lock of a dead run was taken over'],
};

beforeAll(() => {
  process.env.TZ = 'Europe/Berlin';
});

describe('a gc', () => {
  test('tells each step that did something, then what is free now, and what will be when', () => {
    expect(gcText(all, plain)).toMatchInlineSnapshot(`
      "abandoned  the interrupted backup of web01 of 2026-11-20 10:00
      abandoned  an interrupted gc of 2026-11-20 11:00
      abandoned  an interrupted run of 2026-11-20 12:00
      given up   4 forgotten points, 2 packs that no point needs (64 MiB)
      repacked   7 packs into 2, 29 MiB written
      rewritten  8 index segments (1 in their place)
      deleted    9 packs and 3 index segments (192 MiB)
      note: the lock of a dead run was taken over
      warning: pack 12ab cannot be read whole
      192 MiB freed in 131 ms
      93 MiB can be freed from 2026-11-24 10:01 on: run \`vhdvault gc\` then"
    `);
  });

  test('tells of a dry run what would be', () => {
    const { freedBytes, ...rest } = all;
    expect(gcText({ ...rest, freedBytes, dryRun: true }, plain)).toMatchInlineSnapshot(`
      "would abandon  the interrupted backup of web01 of 2026-11-20 10:00
      would abandon  an interrupted gc of 2026-11-20 11:00
      would abandon  an interrupted run of 2026-11-20 12:00
      would give up  4 forgotten points, 2 packs that no point needs (64 MiB)
      would repack   7 packs into 2, 29 MiB to write
      would rewrite  8 index segments (1 in their place)
      would delete   9 packs and 3 index segments (192 MiB)
      note: the lock of a dead run was taken over
      warning: pack 12ab cannot be read whole
      dry run: 192 MiB would be freed now
      93 MiB can be freed from 2026-11-24 10:01 on: run \`vhdvault gc\` then"
    `);
    expect(gcText({ ...nothing, dryRun: true }, plain)).toBe('dry run: nothing would be freed now');
  });

  test('tells what else gcs to come may free, though nobody knows how much of it', () => {
    const opened = '2026-11-22T09:00:00.000Z';
    const at = '2026-11-23T09:00:00.000Z';
    const one = { points: 5, at: '2026-12-14T13:20:00.000Z' };
    const kept: GcResult = {
      ...nothing,
      unfinished: [
        { item: 'web01', opened, bytes: 142 * MIB, at },
        { item: null, opened, bytes: null, at },
      ],
      forgottenLater: [one],
    };
    const lines = (result: GcResult): string[] => gcText(result, plain).split('\n').slice(1);
    expect(lines(kept)).toEqual([
      '142 MiB by the interrupted backup of web01 of 2026-11-22 10:00 can be freed from 2026-11-23 10:00 on, unless another one goes on with it',
      'what was stored by an interrupted run of 2026-11-22 10:00 can be freed from 2026-11-23 10:00 on, unless another one goes on with it',
      '5 forgotten points can be given up from 2026-12-14 14:20 on: the next gc then does, and one 1 day later frees what no other point needs',
    ]);
    const more = { ...kept, unfinished: [], forgottenLater: [{ points: 1, at }, one] };
    expect(lines(more)).toEqual([
      '6 forgotten points can be given up from 2026-11-23 10:00 on, the last from 2026-12-14 14:20 on: the next gc then does, and one 1 day later frees what no other point needs',
    ]);
    expect(lines({ ...more, forgottenLater: [{ points: 1, at }], grace: 0 })).toEqual([
      '1 forgotten point can be given up from 2026-11-23 10:00 on: the next gc then does, and frees what no other point needs',
    ]);
  });

  test('tells what dead runs left among what it deleted', () => {
    const swept = { packs: 0, segments: 0, leftovers: 1, bytes: 512 };
    const deleted = (more: object): string | undefined =>
      gcText({ ...nothing, swept: { ...swept, ...more } }, plain).split('\n')[0];
    expect(deleted({})).toBe('deleted  1 leftover of interrupted runs (512 B)');
    expect(deleted({ packs: 2, segments: 1, leftovers: 3 })).toBe(
      'deleted  2 packs, 1 index segment and 3 leftovers of interrupted runs (512 B)',
    );
  });

  test('tells segments of which nothing is left as dropped', () => {
    const merged = { segments: 4, into: 0 };
    expect(gcText({ ...nothing, merged }, plain).split('\n')[0]).toBe('dropped  4 index segments');
    expect(gcText({ ...nothing, merged, dryRun: true }, plain).split('\n')[0]).toBe('would drop  4 index segments');
  });

  test('says so when there is nothing to free', () => {
    expect(gcText(nothing, plain)).toBe('nothing freed now, in 131 ms');
  });

  test('counts in the singular where there is one', () => {
    const one = {
      ...nothing,
      condemned: { points: 1, packs: 1, bytes: 512 },
      swept: { packs: 1, segments: 0, leftovers: 0, bytes: 512 },
    };
    expect(gcText(one, plain)).toMatchInlineSnapshot(`
      "given up  1 forgotten point, 1 pack that no point needs (512 B)
      deleted   1 pack (512 B)
      nothing freed now, in 131 ms"
    `);
  });
});
