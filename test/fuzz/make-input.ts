import { drawOf } from './draw.ts';
import { type FuzzInput, plainFile } from './input.ts';
import { MUTATIONS } from './mutations.ts';
import type { Seed } from './seeds.ts';

/** Images of 4 MiB cost a hundred times as much as small ones, and find the same. */
const LARGE_PERCENT = 1;
const LARGE = 1024 * 1024;

/** The n-th input of a campaign: a healthy image, changed a few times. */
export function makeInput(seeds: readonly Seed[], seed: number, n: number): FuzzInput {
  const draw = drawOf(seed, n);
  const small = seeds.filter((one) => one.files.get(one.image)!.length < LARGE);
  const large = seeds.filter((one) => !small.includes(one));
  const from = draw.percent(LARGE_PERCENT) && large.length > 0 ? draw.one(large) : draw.one(small);
  const input: FuzzInput = {
    files: new Map([...from.files].map(([name, bytes]) => [name, plainFile(bytes)])).set(
      from.image,
      plainFile(Buffer.from(from.files.get(from.image)!)),
    ),
    links: [],
    image: from.image,
    parentRoots: [],
    format: undefined,
    story: [from.name],
  };
  const mutant = {
    input,
    file: input.files.get(from.image)!,
    places: from.places,
    draw,
    seeds,
    say: (what: string) => input.story.push(what),
  };
  for (let left = draw.one([1, 1, 1, 2, 2, 3, 5]); left > 0; ) {
    if (draw.one(MUTATIONS)(mutant)) left--;
  }
  return input;
}
