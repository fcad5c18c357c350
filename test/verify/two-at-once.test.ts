import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { addKey } from '../../src/jobs/key-job.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import type { VerifyResult } from '../../src/jobs/verify-types.ts';
import { openSegment, segmentPath } from '../../src/vault/block-index.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import { slotPath } from '../../src/vault/check-slot.ts';
import { logEntryPath } from '../../src/vault/vault.ts';
import { flipAt, hurt } from '../support/hurt-vault.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, rawDisk } from '../support/vault-bench.ts';
import { lostByReading, lostByVerify, makeScene, type Scene } from '../support/vault-truth.ts';

const folder = tempFolder({ inMemory: true });
const KINDS = ['packs', 'index', 'log', 'ckpt', 'keys'] as const;
type Kind = (typeof KINDS)[number];
/** Two objects of each kind, but one key slot: the other one opens the vault. */
const objects: Record<Kind, string[]> = { packs: [], index: [], log: [], ckpt: [], keys: [] };
let scene: Scene;

beforeAll(async () => {
  scene = await makeScene(folder.fresh('two'));
  const { bench, disks } = scene;
  const [mine] = await bench.store.list('keys');
  {
    await using session = await bench.open();
    await addKey(session, { passphrase: 'another one' });
    const { vault } = session;
    while (vault.state.sequence < 66)
      await vault.commit(() => ({ type: 'setting', key: 'k', value: new Uint8Array(9) }));
  }
  // Points that no checkpoint tells of.
  const bytes = noise(3 * 16 * 1024, 9);
  const disk = await rawDisk(join(bench.folder, 'c'), bytes);
  for (let n = 0; n < 2; n++) disks.set(`c@${(await bench.backup('c', [disk])).point}`, bytes);
  await using session = await bench.open();
  const { store, keys, state } = session.vault;
  const added = state.segments.map(({ segment }) => segmentPath(segment));
  const points = [...state.points.values()].map(({ sequence }) => logEntryPath(sequence));
  const slots = (await store.list('keys')).filter((name) => name !== mine).map(slotPath);
  objects.index = [added[0]!, added.at(-1)!];
  for (const [n, path] of objects.index.entries()) {
    await using segment = await openSegment(store, keys, path);
    objects.packs[n] = packPath(segment.packs[0]!.name);
  }
  // One that a checkpoint tells of too, and one that none does.
  objects.log = [points[0]!, points.at(-2)!];
  objects.ckpt = (await store.list('ckpt')).map((name) => `ckpt/${name}`);
  objects.keys = [slots[0]!, slots[0]!];
});

function tells({ findings }: VerifyResult, path: string): boolean {
  return findings.some(({ where, what }) => where === path || what.includes(path));
}

/** Two that have nothing to do with each other, and two of which one may be told of by the other alone. */
const pairs = KINDS.flatMap((one, n) =>
  KINDS.slice(n).flatMap((other) => [
    { one, other, at: 1 },
    { one, other, at: 0 },
  ]),
).filter(({ one, other, at }) => one !== other || (at === 1 && one !== 'keys'));

describe.each([
  ['lost', () => undefined],
  ['flipped', (bytes: Uint8Array) => flipAt(Math.min(500, bytes.byteLength >> 1))(bytes)],
] as const)('two objects that are %s at once', (what, change) => {
  it.each(pairs)('(of $one and of $other, $at) are told, with what both take away', async ({ one, other, at }) => {
    const { bench, disks } = scene;
    const paths = [objects[one][0]!, objects[other][at]!];
    await using _ = await hurt(bench.store, paths[0]!, change);
    await using __ = await hurt(bench.store, paths[1]!, change);
    await using session = await bench.open({ acceptRollback: true });
    const result = await verify(session, { readData: true });
    // Nobody misses a checkpoint.
    const missed = paths.filter((path) => what === 'flipped' || !path.startsWith('ckpt'));
    const told = missed.filter((path) => tells(result, path));
    // Behind a damaged entry nobody knows whether a segment that is not there was dropped: only its blocks are missed.
    const isGivenUp = what === 'lost' && one === 'index' && other === 'log';
    if (at === 1 && !isGivenUp) expect(told).toEqual(missed);
    else expect(told).not.toEqual([]);
    expect(result.ok).toBe(one === 'ckpt' && other === 'ckpt');
    const truth = await lostByReading(await session.vault.forReading(), disks);
    expect(lostByVerify(result, truth.keys())).toEqual(truth);
    // Only a point whose own entry is damaged cannot be had at all.
    const gone = [...disks.keys()].filter((ref) => !truth.has(ref));
    expect(gone.length).toBeLessThanOrEqual(paths.filter((path) => path.startsWith('log')).length);
  });
});
