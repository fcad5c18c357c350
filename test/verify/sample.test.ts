import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { verify } from '../../src/jobs/verify-job.ts';
import type { VerifyResult } from '../../src/jobs/verify-types.ts';
import type { Store } from '../../src/vault/open-store.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import { endOf, isInWindow, runsForAll, sampleWindow } from '../../src/verify/sample-window.ts';
import { readAll } from '../support/copied-store.ts';
import { flipAt, hurt } from '../support/hurt-vault.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const name = (n: number | string): string => createHash('sha256').update(`${n}`).digest('hex');
const names = (count: number): string[] => Array.from({ length: count }, (_, n) => name(n));
const someNames = fc.uniqueArray(fc.string({ maxLength: 4 }).map(name), { minLength: 1, maxLength: 30 });
const places = fc.integer({ min: 0, max: 2 ** 48 - 1 });

function chosen(all: readonly string[], start: number, percent: number): { read: string[]; next: number } {
  const window = sampleWindow(all, start, percent);
  return { read: all.filter((one) => isInWindow(one, window)), next: endOf(window) };
}

describe('the window of a sample', () => {
  it('after as many samples as it says has been over everything, wherever it began, and none reads nothing', () => {
    fc.assert(
      fc.property(someNames, places, fc.double({ min: 0.5, max: 100, noNaN: true }), (all, start, percent) => {
        const seen = new Set<string>();
        let next = start;
        for (let run = 0; run < runsForAll(percent); run++) {
          const sample = chosen(all, next, percent);
          expect(sample.read.length).toBeGreaterThan(0);
          for (const one of sample.read) seen.add(one);
          next = sample.next;
        }
        expect(seen.size).toBe(all.length);
      }),
    );
  });

  it('of two halves takes every name once', () => {
    fc.assert(
      fc.property(someNames, places, (all, start) => {
        const one = chosen(all, start, 50);
        fc.pre(all.length > 1 && one.next === (start + 2 ** 47) % 2 ** 48);
        const other = chosen(all, one.next, 50);
        fc.pre(other.next === start);
        expect([...one.read, ...other.read].sort()).toEqual(all.toSorted());
      }),
    );
  });

  it('covers names that came between two samples within one round from then on', () => {
    const before = names(40);
    let next = 0;
    for (let run = 0; run < 4; run++) next = chosen(before, next, 10).next;
    const after = [...before, name('new')];
    const seen = new Set<string>();
    for (let run = 0; run < 10; run++) {
      const sample = chosen(after, next, 10);
      for (const one of sample.read) seen.add(one);
      next = sample.next;
    }
    expect(seen.size).toBe(41);
  });

  it('is about its share of many names', () => {
    expect(chosen(names(10_000), 2 ** 47, 10).read.length).toBeGreaterThan(900);
    expect(chosen(names(10_000), 2 ** 47, 10).read.length).toBeLessThan(1100);
    expect(chosen(names(100), 0, 100).read).toHaveLength(100);
    expect(chosen([], 0, 10).read).toEqual([]);
  });
});

const folder = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;
let bench: VaultBench;

beforeAll(async () => {
  bench = await openBench(folder.fresh('sample'));
  await mkdir(bench.folder, { recursive: true });
  for (const [n, item] of ['a', 'b', 'b'].entries())
    await bench.backup(item, [await rawDisk(join(bench.folder, 'disk'), noise(8 * BLOCK, n + 1))]);
});

/** Packs of which data frames are read, and what came of it. Packs of pages are read by every verification. */
async function sampled(percent: number, ref?: string): Promise<{ packs: string[]; result: VerifyResult }> {
  const { name: place } = bench.storeAddress as { name: string };
  const packs = new Set<string>();
  wrapMemoryStore(place, (store: Store) => ({
    ...store,
    open: async (path) => {
      const file = await store.open(path);
      const isAtEnd = (position: number): boolean => path.startsWith('packs/') && position + 24 === file.size;
      // Only a check of all bytes looks at the trailer.
      return {
        ...file,
        read: (position, target) => {
          if (isAtEnd(position)) packs.add(path);
          return file.read(position, target);
        },
      };
    },
  }));
  await using session = await bench.open();
  const result = await verify(session, { sample: percent, ...(ref !== undefined && { ref }) });
  wrapMemoryStore(place, (store) => store);
  return { packs: [...packs], result };
}

describe('verify with a sample', () => {
  it('goes on where the last one ended: two of one half read everything, and tell it', async () => {
    const [one, other] = [await sampled(50), await sampled(50)];
    const all = await bench.verify(true);
    expect(new Set([...one.packs, ...other.packs]).size).toBe(all.checked.packs);
    expect(one.packs.filter((pack) => other.packs.includes(pack)).length).toBeLessThan(2);
    const { sampled: told, checked } = one.result;
    expect(told).toMatchObject({ packs: one.packs.length, ofPacks: all.checked.packs, runs: 2, bytes: checked.bytes });
    expect(told?.ofBytes).toBe(all.checked.bytes);
    expect(other.result.sampled?.from).toBe(told?.to);
    expect(all).not.toHaveProperty('sampled');
  });

  it('of one percent reads a pack all the same', async () => {
    const { packs, result } = await sampled(1);
    expect(packs).toHaveLength(1);
    expect(result.sampled).toMatchObject({ packs: 1, runs: 100 });
  });

  it('of one item has a place of its own, and reads only what its point needs', async () => {
    await using session = await bench.open();
    const { checked } = await verify(session, { ref: 'a', readData: true });
    const whole = await bench.verify(true);
    expect(checked.packs).toBeLessThan(whole.checked.packs);
    expect(checked.bytes).toBeLessThan(whole.checked.bytes);
    const before = (await sampled(50)).result.sampled;
    const seen = new Set([...(await sampled(50, 'a')).packs, ...(await sampled(50, 'a')).packs]);
    expect(seen.size).toBe(checked.packs);
    expect((await sampled(50)).result.sampled?.from).toBe(before?.to);
  });

  it('begins anywhere where the place is lost or unreadable, and says when it cannot be kept', async () => {
    const [file] = (await readdir(bench.state)).filter((one) => one.endsWith('.sample.json'));
    for (const text of ['', '{"all": "x"}', '{"all": -1}', '[]']) {
      await writeFile(join(bench.state, file!), text);
      expect((await sampled(100)).packs.length).toBeGreaterThan(4);
    }
    await rm(join(bench.state, file!));
    await mkdir(join(bench.state, file!));
    const notices: string[] = [];
    await using session = await bench.open({ onNotice: (text) => notices.push(text) });
    expect((await verify(session, { sample: 10 })).ok).toBe(true);
    expect(notices).toEqual([expect.stringContaining('next sample begins anywhere')]);
    await rm(join(bench.state, file!), { recursive: true });
  });

  it('moves on only when it is done, and finds what is wrong in its share', async () => {
    await using session = await bench.open();
    const first = (await verify(session, { sample: 30 })).sampled!;
    const signal = AbortSignal.abort();
    await expect(verify(session, { sample: 30, signal })).rejects.toMatchObject({ code: 'CANCELLED' });
    const { sampled: second } = await verify(session, { sample: 30 });
    expect(second?.from).toBe(first.to);
    for (const percent of [0, -1, 100.1, Number.NaN])
      await expect(verify(session, { sample: percent })).rejects.toMatchObject({ code: 'USAGE', hint: /10%/ });
  });

  it('finds what is wrong with a pack when its turn has come', async () => {
    const data = [...(await readAll(bench.store))].filter(([path]) => path.startsWith('packs/'));
    const [path, bytes] = data.toSorted(([, a], [, b]) => b.byteLength - a.byteLength)[0]!;
    await using _ = await hurt(bench.store, path, flipAt(bytes.byteLength >> 1));
    expect((await bench.verify()).ok).toBe(true);
    const found: boolean[] = [];
    for (let run = 0; run < 4; run++) {
      const { packs, result } = await sampled(25);
      expect(result.ok).toBe(!packs.includes(path));
      found.push(!result.ok);
    }
    // Where the fourth share goes on into the first one, twice.
    expect([1, 2]).toContain(found.filter(Boolean).length);
  });
});
