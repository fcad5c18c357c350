import { createQueue } from '../pool/common-queue.ts';
import type { Pool } from '../pool/pool.ts';
import { runOnAll } from '../pool/run-on-all.ts';
import { segmentPath } from '../vault/block-index.ts';
import { packPath } from '../vault/block-writer.ts';
import { LARGEST } from '../vault/largest-object.ts';
import type { Store } from '../vault/open-store.ts';
import type { CommonFacts, NamedObject } from '../vault/raw-object.ts';
import type { Trouble } from '../vault/trouble.ts';
import type { ScrubObjectsInput } from './scrub-objects.ts';
import { scrubObjectsTask } from './scrub-objects-task.ts';
import type { Survey } from './survey.ts';

export interface ScrubNamedOptions {
  store: Store;
  pool: Pool;
  signal?: AbortSignal | undefined;
  onBytes: (bytes: number) => void;
}

export interface NamedScrubbed {
  troubles: { object: NamedObject; trouble: Trouble }[];
  packs: number;
  segments: number;
  lists: number;
  bytes: number;
}

/** All files of a vault that are named by the hash of their bytes, with the bytes of each that are to be read. */
export async function namedObjects(
  store: Store,
  { packs, segments, lists }: Survey,
): Promise<ScrubObjectsInput['objects']> {
  const named: NamedObject[] = [
    ...packs.map((name) => ({ name, kind: 'pack' as const, path: packPath(name) })),
    ...segments.map((name) => ({ name, kind: 'segment' as const, path: segmentPath(name) })),
    ...lists.map((name) => ({ name, kind: 'list' as const, path: `lists/${name}` })),
  ];
  const objects: ScrubObjectsInput['objects'] = [];
  for (const object of named) {
    // What is gone by now, cannot be looked at, or is too long to be read is left to whoever reads it.
    const size = (await store.size(object.path).catch(() => undefined)) ?? 0;
    objects.push({ ...object, size: size > LARGEST[object.kind] ? 0 : size });
  }
  return objects;
}

/** Compares the names of objects with their bytes, on all threads. */
export async function scrubNamed(
  { store, pool, signal, onBytes }: ScrubNamedOptions,
  objects: ScrubObjectsInput['objects'],
  facts: CommonFacts | undefined,
): Promise<NamedScrubbed> {
  const queue = createQueue();
  const counters = new Float64Array(new SharedArrayBuffer(pool.threads * 8));
  const tick = (): void => onBytes(counters.reduce((sum, bytes) => sum + bytes, 0));
  const shares = await runOnAll({
    ...{ pool, task: scrubObjectsTask, queue, signal, onTick: tick },
    input: { store: store.address, facts, objects, queue, counters },
  });
  tick();
  const troubles = shares.flatMap((share) => share.troubles).sort((a, b) => a.n - b.n);
  const gone = new Set(shares.flatMap((share) => share.gone));
  const there = objects.filter((_, n) => !gone.has(n));
  const count = (kind: NamedObject['kind']): number => there.filter((object) => object.kind === kind).length;
  return {
    troubles: troubles.map(({ n, trouble }) => ({ object: objects[n] as NamedObject, trouble })),
    ...{ packs: count('pack'), segments: count('segment'), lists: count('list') },
    bytes: there.reduce((sum, { size }) => sum + size, 0),
  };
}
