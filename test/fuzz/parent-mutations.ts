import { encodeLocatorPath } from '../../src/image/vhd-parser.ts';
import { idOf } from '../support/vhd-chain.ts';
import { plainFile } from './input.ts';
import { bytesOf, type Mutation, mend, put, take } from './mutant.ts';

/** Something else where the parent was: nothing, a link, a folder, the image itself, an image of another seed. */
export const otherParent: Mutation = ({ draw, input, seeds, say }) => {
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
export const otherIds: Mutation = (mutant) => {
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
export const cycle: Mutation = (mutant) => {
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

export const otherName: Mutation = ({ draw, input, say }) => {
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
