import { encodeLocatorPath } from '../../src/image/vhd-parser.ts';
import { bytesOf, drawNumber, type Mutant, type Mutation, mend, numberAt, put } from './mutant.ts';
import { BATMAP_FIELDS, type Field, FOOTER_FIELDS, HEADER_FIELDS, LOCATOR_FIELDS } from './places.ts';

/** A field of the footers gets another number: in one of them, or in both. */
export const footerField: Mutation = (mutant) => {
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

export const headerField: Mutation = (mutant) => {
  const { draw, places } = mutant;
  if (places.header === null) return false;
  const field = changeField(mutant, places.header, draw.one(HEADER_FIELDS));
  const mended = draw.percent(85);
  if (mended) mend(mutant, places.header, 'header');
  mutant.say(`header: ${field}${mended ? '' : ', checksum as it was'}`);
  return true;
};

export const locatorField: Mutation = (mutant) => {
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
export const locatorText: Mutation = (mutant) => {
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
export const tableEntry: Mutation = (mutant) => {
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

export const swappedEntries: Mutation = (mutant) => {
  const { draw, places } = mutant;
  if (places.blocks.length < 2) return false;
  const [a, b] = [draw.one(places.blocks), draw.one(places.blocks)];
  const keep = draw.percent(50);
  put(mutant, places.table + a.number * 4, bytesOf(BigInt(b.at / 512), 4));
  if (!keep) put(mutant, places.table + b.number * 4, bytesOf(BigInt(a.at / 512), 4));
  mutant.say(`entries ${a.number} and ${b.number} ${keep ? 'name one place' : 'swapped'}`);
  return true;
};

export const bitmap: Mutation = (mutant) => {
  const { draw, places } = mutant;
  if (places.blocks.length === 0) return false;
  const { number, at } = draw.one(places.blocks);
  const bits = draw.one([draw.bytes(8), Buffer.alloc(512), Buffer.alloc(512, 0xff), draw.bytes(64)]);
  put(mutant, at + draw.one([0, 0, 1, 7]), bits);
  mutant.say(`bitmap of block ${number} changed`);
  return true;
};

/** What XenServer puts behind the table; the image becomes one of tapdisk where it is none. */
export const batmap: Mutation = (mutant) => {
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

function changeField(mutant: Mutant, at: number, [name, offset, length]: Field): string {
  const value = drawNumber(mutant, numberAt(mutant.file.head, at + offset, length), length);
  put(mutant, at + offset, bytesOf(value, length));
  return `${name} = ${value}`;
}
