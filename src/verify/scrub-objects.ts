import { type CommonQueue, shareOf, stopIfAsked, takeNext } from '../pool/common-queue.ts';
import { openStore, type StoreAddress } from '../vault/open-store.ts';
import { type CommonFacts, checkNamedObject, type NamedObject } from '../vault/raw-object.ts';
import type { Trouble } from '../vault/trouble.ts';

export interface ScrubObjectsInput {
  worker: number;
  store: StoreAddress;
  /** undefined where vault.json and the first entry do not tell. */
  facts: CommonFacts | undefined;
  objects: (NamedObject & { size: number })[];
  /** Of objects. */
  queue: CommonQueue;
  /** Bytes read, per worker. */
  counters: Float64Array;
}

/** What one worker found: objects by their place in the list. */
export interface ScrubShare {
  troubles: { n: number; trouble: Trouble }[];
  /** Removed meanwhile. */
  gone: number[];
}

/** One worker's share of `scrub`: takes objects from the common queue and compares their names with their bytes. */
export function scrubObjects(input: ScrubObjectsInput): Promise<ScrubShare> {
  return shareOf(input.queue, () => scrubAll(input));
}

async function scrubAll(input: ScrubObjectsInput): Promise<ScrubShare> {
  const { objects, facts, queue, counters } = input;
  const store = openStore(input.store);
  const share: ScrubShare = { troubles: [], gone: [] };
  for (let n = takeNext(queue); n < objects.length; n = takeNext(queue)) {
    const object = objects[n] as ScrubObjectsInput['objects'][number];
    const trouble = await checkNamedObject(store, object, { facts, onPart: () => stopIfAsked(queue) });
    if (trouble === 'gone') share.gone.push(n);
    else if (trouble) share.troubles.push({ n, trouble });
    counters[input.worker] = (counters[input.worker] as number) + object.size;
  }
  return share;
}
