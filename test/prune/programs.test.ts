import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type AT_ONCE, checkPoint, type GcScene, gcScene, idOf, listed } from '../support/gc-scene.ts';
import { diesBefore } from '../support/race.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
const RUNS = process.env.VHDVAULT_LONG === '1' ? 400 : 6;

/** `which` counts among what there is at that time. */
type Step =
  | { do: 'save'; item: string; letters: string }
  | { do: 'die'; item: string; letters: string; before: string }
  | { do: 'forget' | 'unforget' | 'pin' | 'quarantine'; which: number }
  | { do: 'gc'; softDelete: number | undefined; grace: number | undefined; idsPerPass: number | undefined };

const item = fc.constantFrom('web', 'db');
/** Few kinds of blocks, so that points and packs have much in common. */
const letters = fc.string({ unit: fc.constantFrom(...'aaabcdefghij '), minLength: 1, maxLength: 12 });
const which = fc.nat({ max: 30 });
const program: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('save' as const), item, letters }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('die' as const),
        item,
        letters,
        before: fc.constantFrom('rename index/', 'link log/', 'rename packs/', 'syncFolder index'),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('forget' as const), which }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('unforget' as const, 'pin', 'quarantine'), which }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('gc' as const),
        softDelete: fc.constantFrom(0, 0, undefined),
        grace: fc.constantFrom(0, 0, undefined),
        idsPerPass: fc.constantFrom(undefined, 3),
      }),
    },
  ),
  { minLength: 4, maxLength: 22 },
);

it('after any sequence of backups, deaths, forgets and gcs all live points restore, and what nobody needs is gone', async () => {
  await fc.assert(
    fc.asyncProperty(program, async (steps) => {
      const scene = await gcScene(folder.fresh('program'), { encrypted: steps.length % 2 === 0 });
      for (const step of steps) await take(scene, step);
      await scene.gc();
      await scene.check();
      await comesToRest(scene);
      await holdsNothingElse(scene);
      await scene.check();
    }),
    { numRuns: RUNS },
  );
}, 3_600_000);

async function take(scene: GcScene, step: Step): Promise<void> {
  switch (step.do) {
    case 'save':
      await scene.save(step.item, step.letters);
      return;
    case 'die':
      scene.wrap(diesBefore(step.before));
      // Where nothing is stored, or the point was there already, it lives on.
      await scene.save(step.item, step.letters).catch(() => undefined);
      scene.wrap();
      return;
    case 'quarantine': {
      const packs = [...(await listed(scene)).packs.keys()];
      const pack = packs[step.which % packs.length];
      if (pack !== undefined) await scene.commit({ type: 'quarantine', pack, frames: [] });
      return;
    }
    case 'gc': {
      await scene.gc({
        ...step,
        softDelete: step.softDelete,
        grace: step.grace,
        idsPerPass: step.idsPerPass,
      } as typeof AT_ONCE);
      await scene.check();
      // Soft-deleted points are as whole as the others.
      if (step.softDelete === 0) return;
      await using session = await scene.bench.open();
      const forgotten = [...(await scene.points())].filter(([, point]) => point.forgotten).map(([ref]) => ref);
      await session.vault.commit(() => ({ type: 'unforget', points: forgotten.map(idOf) }));
      for (const ref of forgotten) await checkPoint(session, ref, scene.disks.get(ref)!);
      await scene.forget(...forgotten);
      return;
    }
    default: {
      const points = [...(await scene.points())];
      const found = points[step.which % points.length];
      if (!found) return;
      const [ref] = found;
      if (step.do === 'forget') await scene.forget(ref);
      else if (step.do === 'unforget') await scene.unforget(ref);
      else
        await scene.commit({
          type: 'pin',
          point: idOf(ref),
          until: step.which % 2 === 0 ? 0 : Number.MAX_SAFE_INTEGER,
        });
    }
  }
}

/** Files, index and log tell of the same packs, but for few that are given up in each segment, and every block is listed once. */
async function holdsNothingElse(scene: GcScene): Promise<void> {
  const { packs, entries, counts } = await listed(scene);
  await using session = await scene.bench.open();
  const { condemned } = session.vault.state;
  const files = (await scene.packs()).map((path) => path.slice('packs/xx/'.length));
  expect(files.sort()).toEqual([...packs.keys()].filter((name) => !condemned.has(name)).sort());
  expect(packs.size - files.length).toBeLessThanOrEqual(packs.size / 4);
  expect(counts).toEqual({ packs: packs.size, bytes: [...packs.values()].reduce((sum, size) => sum + size, 0) });
  expect(new Set(entries).size).toBe(entries.length);
  const staging = await scene.bench.store.list('staging');
  expect(staging).toEqual([]);
}

/** A merge of segments may let the next gc keep other copies of blocks that lie in two packs; that comes to an end. */
async function comesToRest(scene: GcScene): Promise<void> {
  for (let n = 0; n < 4; n++) {
    const { freedBytes, repacked, merged, warnings } = await scene.gc();
    expect(warnings).toEqual([]);
    if (freedBytes + repacked.packs + merged.segments === 0) return;
  }
  expect.fail('a gc has something to do again and again');
}
