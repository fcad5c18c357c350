import { encodeFooter, encodeLocatorPath } from '../../src/image/vhd-parser.ts';
import { footerOf, idOf } from '../support/vhd-chain.ts';
import { plainFile } from './input.ts';
import { become, bytesOf, drawNumber, type Mutant, mend, numberAt, put, take } from './mutant.ts';
import { BATMAP_FIELDS, type Field, FOOTER_FIELDS, HEADER_FIELDS, LOCATOR_FIELDS } from './places.ts';

/** Changes an input, and says how; false where it has not what is to be changed. */
export type Mutation = (mutant: Mutant) => boolean;

/** A field of the footers gets another number: in one of them, or in both. */
const footerField: Mutation = (mutant) => {
  const { draw, places } = mutant;
  if (places.footers.length === 0) return false;
  const which = draw.percent(60) ? places.footers : [draw.one(places.footers)];
  const field = draw.one(FOOTER_FIELDS);
  const value = drawNumber(mutant, numberAt(mutant.file.head, which[0]! + field[1], field[2]), field[2]);
  const mended = draw.percent(80);
  for (const at of which) {
    put(mutant, at + field[1], bytesOf(value, field[2]));
    if (mended) mend(mutant, at, 'footer');
  }
  mutant.say(`${field[0]} of the footers at ${which} = ${value}${mended ? '' : ', checksum as it was'}`);
  return true;
};

const headerField: Mutation = (mutant) => {
  const { draw, places } = mutant;
  if (places.header === null) return false;
  const field = changeField(mutant, places.header, draw.one(HEADER_FIELDS));
  const mended = draw.percent(85);
  if (mended) mend(mutant, places.header, 'header');
  mutant.say(`header: ${field}${mended ? '' : ', checksum as it was'}`);
  return true;
};

const locatorField: Mutation = (mutant) => {
  const { draw, places } = mutant;
  if (places.header === null) return false;
  const entry = draw.one([
    ...places.locators.map((locator) => locator.entry),
    places.header + 576 + draw.below(8) * 24,
  ]);
  if (draw.percent(30)) put(mutant, entry, Buffer.from(draw.one(CODES), 'latin1'));
  const field = changeField(mutant, entry, draw.one(LOCATOR_FIELDS));
  mend(mutant, places.header, 'header');
  mutant.say(`locator at ${entry}: ${field}`);
  return true;
};

const CODES = ['W2ru', 'W2ku', 'MacX', 'Mac ', 'Wi2r', 'Wi2k', 'M\x162X', 'M\x162 ', 'xxxx', '\0\0\0\0'];

/** The paths of the parent become others: strange, forbidden, long, or the image's own. */
const locatorText: Mutation = (mutant) => {
  const { draw, places, input } = mutant;
  const locator = places.locators[0];
  if (!locator || places.header === null) return false;
  const code = draw.one(CODES);
  const path = draw.one([...PATHS, `.\\${input.image}`, ...[...input.files.keys()].map((name) => `.\\${name}`)]);
  const data = encodeLocatorPath(code, path).subarray(0, draw.percent(90) ? 512 : 3);
  put(mutant, locator.entry, Buffer.from(code, 'latin1'));
  put(mutant, locator.entry + 8, bytesOf(BigInt(data.length), 4));
  put(mutant, locator.data, data);
  if (draw.percent(50)) put(mutant, places.header + 64, Buffer.from(path, 'utf16le').swap16().subarray(0, 512));
  mend(mutant, places.header, 'header');
  mutant.say(`locator ${JSON.stringify(code)} names ${JSON.stringify(path)}`);
  return true;
};

const PATHS = [
  '',
  '.',
  '..',
  '..\\..\\..\\..\\etc\\passwd',
  '/etc/passwd',
  '/dev/zero',
  '/proc/self/mem',
  'C:\\',
  'C:\\vm\\none.vhd',
  '\\\\server\\share\\none.vhd',
  '\\\\?\\C:\\none.vhd',
  '\\\\.\\PhysicalDrive0',
  '\\\\?\\UNC\\x\\y\\z',
  'file://./none.vhd',
  'file://localhost/%zz%00',
  'a\ud800\udc00\ud800.vhd',
  'a\0b.vhd',
  `${'a'.repeat(255)}.vhd`,
  '\\a'.repeat(120),
  'NUL',
  'con:',
  '*?.vhd',
];

/** An entry of the table points elsewhere, mostly to where something else is. */
const tableEntry: Mutation = (mutant) => {
  const { draw, places, file } = mutant;
  if (places.header === null) return false;
  const number = draw.below(places.entries);
  const old = numberAt(file.head, places.table + number * 4, 4);
  const others = [0, 1, 2, 3, places.table / 512, file.size / 512 - 1, 0x80000000, 0xfffffffe, 0xffffffff];
  for (const block of places.blocks) for (const by of [-17, -1, 0, 1, 17]) others.push(block.at / 512 + by);
  for (const { data } of places.locators) others.push(Math.floor(data / 512));
  const value = draw.percent(70) ? BigInt(Math.max(0, Math.floor(draw.one(others)))) : drawNumber(mutant, old, 4);
  put(mutant, places.table + number * 4, bytesOf(value, 4));
  mutant.say(`entry ${number} = ${value}`);
  return true;
};

const swappedEntries: Mutation = (mutant) => {
  const { draw, places } = mutant;
  if (places.blocks.length < 2) return false;
  const [a, b] = [draw.one(places.blocks), draw.one(places.blocks)];
  const keep = draw.percent(50);
  put(mutant, places.table + a.number * 4, bytesOf(BigInt(b.at / 512), 4));
  if (!keep) put(mutant, places.table + b.number * 4, bytesOf(BigInt(a.at / 512), 4));
  mutant.say(`entries ${a.number} and ${b.number} ${keep ? 'name one place' : 'swapped'}`);
  return true;
};

const bitmap: Mutation = (mutant) => {
  const { draw, places } = mutant;
  if (places.blocks.length === 0) return false;
  const { number, at } = draw.one(places.blocks);
  const bits = draw.one([draw.bytes(8), Buffer.alloc(512), Buffer.alloc(512, 0xff), draw.bytes(64)]);
  put(mutant, at + draw.one([0, 0, 1, 7]), bits);
  mutant.say(`bitmap of block ${number} changed`);
  return true;
};

/** What XenServer puts behind the table; the image becomes one of tapdisk where it is none. */
const batmap: Mutation = (mutant) => {
  const { draw, places } = mutant;
  if (places.header === null) return false;
  const at = places.table + Math.ceil(places.entries / 128) * 512;
  const version = draw.one([1, 0x00010000, 0x00010001, 0x00010002, 0x00010003, 0x00020000]);
  for (const footer of places.footers) {
    put(mutant, footer + 28, Buffer.from('tap\0'));
    put(mutant, footer + 32, bytesOf(BigInt(version), 4));
    if (draw.percent(30)) put(mutant, footer + 85, Buffer.of(1));
    if (draw.percent(80)) mend(mutant, footer, 'footer');
  }
  if (draw.percent(50)) put(mutant, at, Buffer.from('tdbatmap'));
  if (draw.percent(20)) put(mutant, at + 29, Buffer.of(1));
  const field = changeField(mutant, at, draw.one(BATMAP_FIELDS));
  mutant.say(`tapdisk ${version}, batmap: ${field}`);
  return true;
};

const flippedBytes: Mutation = (mutant) => {
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
const movedStructure: Mutation = (mutant) => {
  const { draw, file } = mutant;
  const from = drawPlace(mutant);
  const to = drawPlace(mutant);
  const length = draw.one([512, 1024, 511, 1536]);
  put(mutant, to, take(mutant, from, Math.min(length, file.head.length)));
  mutant.say(`${length} bytes from ${from} to ${to}`);
  return true;
};

/** A whole header at another place, and footers that point to it. */
const movedHeader: Mutation = (mutant) => {
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

const cut: Mutation = (mutant) => {
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
const extended: Mutation = (mutant) => {
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

const shortFooter: Mutation = (mutant) => {
  become(mutant, Buffer.from(mutant.file.head.subarray(0, -1)));
  mutant.say('the last byte is cut off');
  return true;
};

/** The guest writes a footer into its own data, and the file sometimes ends there. */
const guestFooter: Mutation = (mutant) => {
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
const guestImage: Mutation = (mutant) => {
  const { draw, seeds } = mutant;
  const other = draw.one(seeds.slice(0, 12));
  const bytes = other.files.get(other.image)!;
  put(mutant, 0, bytes.subarray(0, draw.one([512, 1536, 8192, bytes.length])));
  if (draw.percent(30)) put(mutant, mutant.file.head.length - 512, draw.bytes(100));
  mutant.say(`begins like ${other.name}`);
  return true;
};

/** The beginning of one image and the end of another. */
const splice: Mutation = (mutant) => {
  const { draw, file, seeds } = mutant;
  const other = draw.one(seeds.slice(0, 14));
  const bytes = other.files.get(other.image)!;
  const [to, from] = [drawPlace(mutant), draw.percent(50) ? bytes.length - 512 : 512 * draw.below(bytes.length / 512)];
  become(mutant, Buffer.concat([file.head.subarray(0, to), bytes.subarray(Math.max(0, from))]));
  mutant.say(`${to} bytes, then ${other.name} from ${from}`);
  return true;
};

const poison: Mutation = (mutant) => {
  const { draw, places } = mutant;
  for (const at of places.footers.filter(() => draw.percent(60))) {
    put(mutant, at, Buffer.from('v_poison'));
    if (draw.percent(80)) mend(mutant, at, 'footer');
    mutant.say(`v_poison at ${at}`);
  }
  return places.footers.length > 0;
};

/** Something else where the parent was: nothing, a link, a folder, the image itself, an image of another seed. */
const otherParent: Mutation = ({ draw, input, seeds, say }) => {
  const names = [...input.files.keys()].filter((name) => name !== input.image);
  if (names.length === 0) return false;
  const name = draw.one(names);
  const file = input.files.get(name)!;
  const rest = `moved/${name}`;
  switch (draw.below(7)) {
    case 0:
      input.files.delete(name);
      break;
    case 1:
      input.files.delete(name);
      input.files.set(rest, file);
      if (draw.percent(70)) input.parentRoots.push('moved');
      break;
    case 2:
      input.files.delete(name);
      input.links.push({ name, target: draw.one([input.image, name, 'none', '/dev/zero', '/dev/shm']), hard: false });
      break;
    case 3:
      input.files.delete(name);
      input.links.push({ name, target: input.image, hard: true });
      break;
    case 4:
      input.files.delete(name);
      input.files.set(`${name}/folder`, file);
      break;
    case 5: {
      const other = draw.one(seeds.slice(0, 12));
      input.files.set(name, plainFile(other.files.get(other.image)!));
      break;
    }
    default:
      input.files.set(name, plainFile(file.head.subarray(0, draw.below(file.head.length))));
  }
  say(`something else in place of ${name}`);
  return true;
};

/** The image has the id of its parent, or of a parent that is none: cycles, raw parents, wrong ones. */
const otherIds: Mutation = (mutant) => {
  const { draw, places } = mutant;
  if (places.header === null) return false;
  const ids = [new Uint8Array(16), take(mutant, places.header + 40, 16), take(mutant, 68, 16), idOf(0), draw.bytes(16)];
  put(mutant, places.header + 40, draw.one(ids));
  mend(mutant, places.header, 'header');
  const type = draw.one([2, 3, 4]);
  const id = draw.one(ids);
  for (const at of places.footers) {
    put(mutant, at + 68, id);
    if (draw.percent(60)) put(mutant, at + 60, bytesOf(BigInt(type), 4));
    mend(mutant, at, 'footer');
  }
  mutant.say(`other ids, type ${type}`);
  return true;
};

/** The image is its own parent, by id and by name. */
const cycle: Mutation = (mutant) => {
  const { places, input } = mutant;
  const locator = places.locators[0];
  if (!locator || places.header === null) return false;
  put(mutant, places.header + 40, take(mutant, 68, 16));
  put(mutant, locator.entry, Buffer.from('W2ru'));
  const data = encodeLocatorPath('W2ru', `.\\${input.image}`);
  put(mutant, locator.entry + 8, bytesOf(BigInt(data.length), 4));
  put(mutant, locator.data, data);
  mend(mutant, places.header, 'header');
  mutant.say('its own parent');
  return true;
};

const otherName: Mutation = ({ draw, input, say }) => {
  if (draw.percent(50)) input.format = 'vhd';
  else {
    const name = draw.one(['disk.img', 'image.avhd', 'IMAGE.VHD', 'x']);
    const file = input.files.get(input.image)!;
    input.files.delete(input.image);
    input.files.set(name, file);
    for (const link of input.links) if (link.target === input.image) link.target = name;
    input.image = name;
  }
  say(`opened as ${input.image}, ${input.format ?? 'by its content'}`);
  return true;
};

/** All of them; those that reach deepest are drawn most. */
export const MUTATIONS: readonly Mutation[] = [
  ...[footerField, footerField, footerField, headerField, headerField, headerField, locatorField, locatorField],
  ...[tableEntry, tableEntry, tableEntry, swappedEntries, bitmap, bitmap, flippedBytes, flippedBytes],
  ...[locatorText, batmap, movedStructure, movedHeader, cut, cut, extended, extended, shortFooter],
  ...[guestFooter, guestFooter, guestImage, splice, poison, otherParent, otherParent, otherIds, otherName, cycle],
];

function changeField(mutant: Mutant, at: number, [name, offset, length]: Field): string {
  const value = drawNumber(mutant, numberAt(mutant.file.head, at + offset, length), length);
  put(mutant, at + offset, bytesOf(value, length));
  return `${name} = ${value}`;
}

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
