import { encodeFooter } from '../../src/image/vhd-parser.ts';
import { footerOf, idOf } from '../support/vhd-chain.ts';
import { become, bytesOf, type Mutant, type Mutation, mend, put, take } from './mutant.ts';

export const flippedBytes: Mutation = (mutant) => {
  const { draw, file, places } = mutant;
  const near = [0, places.table, places.header ?? 0, ...places.footers, ...places.locators.map(({ data }) => data)];
  for (let i = draw.below(4); i >= 0; i--) {
    const at = draw.percent(70) ? draw.one(near) + draw.below(512) : draw.below(file.head.length);
    put(mutant, at, Buffer.of((file.head[at] ?? 0) ^ (1 << draw.below(8))));
    mutant.say(`a bit of byte ${at} flipped`);
  }
  return true;
};

/** One structure is copied over another, or to where a structure could be. */
export const movedStructure: Mutation = (mutant) => {
  const { draw, file } = mutant;
  const from = drawPlace(mutant);
  const to = drawPlace(mutant);
  const length = draw.one([512, 1024, 511, 1536]);
  put(mutant, to, take(mutant, from, Math.min(length, file.head.length)));
  mutant.say(`${length} bytes from ${from} to ${to}`);
  return true;
};

/** A whole header at another place, and footers that point to it. */
export const movedHeader: Mutation = (mutant) => {
  const { draw, places } = mutant;
  if (places.header === null) return false;
  const header = take(mutant, places.header, 1024);
  const to = Math.floor(drawPlace(mutant) / 512) * 512 + draw.one([0, 0, 0, 512, 8]);
  put(mutant, to, header);
  const which = draw.percent(60) ? places.footers : [draw.one(places.footers)];
  for (const at of which) {
    put(mutant, at + 16, bytesOf(BigInt(to), 8));
    mend(mutant, at, 'footer');
  }
  if (draw.percent(30)) put(mutant, places.header, draw.bytes(8));
  mutant.say(`header moved to ${to}, footers at ${which} follow`);
  return true;
};

export const cut: Mutation = (mutant) => {
  const { draw, file } = mutant;
  const at = draw.percent(70)
    ? drawPlace(mutant) + draw.one([-512, -1, 0, 1, 16, 511, 512, 1024])
    : draw.below(file.size);
  const length = Math.max(0, Math.min(at, file.head.length - 1));
  const footer = mutant.places.footers.at(-1);
  const again = footer !== undefined && draw.percent(30);
  const bytes = Buffer.from(file.head.subarray(0, length));
  become(mutant, again ? Buffer.concat([bytes, take(mutant, footer, 512)]) : bytes);
  mutant.say(`cut to ${length} bytes${again ? ', and a footer' : ''}`);
  return true;
};

/** More bytes before the footer, behind it, or both, sometimes very many. */
export const extended: Mutation = (mutant) => {
  const { draw, file, places } = mutant;
  const footer = places.footers.at(-1) ?? file.head.length;
  const end = take(mutant, footer, 512);
  if (draw.percent(15)) {
    file.size += draw.one([2 ** 20, 2 ** 31, 2 ** 32 + 512, 2 ** 41, 2 ** 43]);
    file.tail = draw.percent(60) ? end : Buffer.alloc(0);
    mutant.say(`made ${file.size} bytes long, ${file.tail.length} bytes of footer at the end`);
    return true;
  }
  const more = Buffer.alloc(draw.one([1, 511, 512, 513, 3584, 4096, 65536]), draw.one([0, 0xff, 0x5a]));
  const before = draw.percent(50);
  become(mutant, before ? Buffer.concat([file.head.subarray(0, footer), more, end]) : Buffer.concat([file.head, more]));
  mutant.say(`${more.length} bytes ${before ? 'before' : 'behind'} the footer`);
  return true;
};

export const shortFooter: Mutation = (mutant) => {
  become(mutant, Buffer.from(mutant.file.head.subarray(0, -1)));
  mutant.say('the last byte is cut off');
  return true;
};

/** The guest writes a footer into its own data, and the file sometimes ends there. */
export const guestFooter: Mutation = (mutant) => {
  const { draw, places, file } = mutant;
  const kind = draw.one(['fixed', 'dynamic', 'differencing'] as const);
  const id = draw.percent(50) ? idOf(9) : take(mutant, (places.footers[0] ?? 0) + 68, 16);
  if (id.length < 16) return false;
  const footer = encodeFooter(footerOf({ kind, size: draw.one([512, 102400, 2 ** 40]) }, id));
  const block = places.blocks.at(-1);
  const at = block && draw.percent(70) ? block.at + block.length - 512 : 512 * draw.below(file.head.length / 512);
  put(mutant, at, footer);
  const ends = draw.percent(60);
  if (ends) become(mutant, Buffer.from(file.head.subarray(0, at + 512)));
  mutant.say(`a guest's ${kind} footer at ${at}${ends ? ', which ends the file' : ''}`);
  return true;
};

/** The guest of a fixed or raw disk begins it like a dynamic image. */
export const guestImage: Mutation = (mutant) => {
  const { draw, seeds } = mutant;
  const other = draw.one(seeds.slice(0, 12));
  const bytes = other.files.get(other.image)!;
  put(mutant, 0, bytes.subarray(0, draw.one([512, 1536, 8192, bytes.length])));
  if (draw.percent(30)) put(mutant, mutant.file.head.length - 512, draw.bytes(100));
  mutant.say(`begins like ${other.name}`);
  return true;
};

/** The beginning of one image and the end of another. */
export const splice: Mutation = (mutant) => {
  const { draw, file, seeds } = mutant;
  const other = draw.one(seeds.slice(0, 14));
  const bytes = other.files.get(other.image)!;
  const [to, from] = [drawPlace(mutant), draw.percent(50) ? bytes.length - 512 : 512 * draw.below(bytes.length / 512)];
  become(mutant, Buffer.concat([file.head.subarray(0, to), bytes.subarray(Math.max(0, from))]));
  mutant.say(`${to} bytes, then ${other.name} from ${from}`);
  return true;
};

export const poison: Mutation = (mutant) => {
  const { draw, places } = mutant;
  for (const at of places.footers.filter(() => draw.percent(60))) {
    put(mutant, at, Buffer.from('v_poison'));
    if (draw.percent(80)) mend(mutant, at, 'footer');
    mutant.say(`v_poison at ${at}`);
  }
  return places.footers.length > 0;
};

/** Where a structure is, or begins to be something else. */
function drawPlace({ draw, places, file }: Mutant): number {
  const { footers, header, table, blocks, locators } = places;
  const blockPlaces = blocks.flatMap(({ at, length }) => [at, at + 512, at + length - 512, at + length]);
  return draw.one([
    0,
    header ?? 0,
    table,
    file.head.length,
    ...footers,
    ...blockPlaces,
    ...locators.map(({ data }) => data),
  ]);
}
