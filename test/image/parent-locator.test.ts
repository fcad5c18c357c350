import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import {
  encodeLocator,
  encodeLocatorPath,
  imageFacts,
  locatorRoom,
  parseLocator,
  parseLocatorPath,
} from '../../src/image/vhd-parser.ts';
import { dynamicImage, firstSector, withBytes } from '../support/vhd-damage.ts';
import { imageFolder } from '../support/vhd-folder.ts';
import { writeBase, writeChild } from './child-image.ts';

const folder = imageFolder();
const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

/** Every code that is written: as it stands in the file, and as text. */
const CODES = [
  ['57327275', 'W2ru'],
  ['57326b75', 'W2ku'],
  ['4d616358', 'MacX'],
  ['4d616320', 'Mac '],
  ['57693272', 'Wi2r'],
  ['5769326b', 'Wi2k'],
  ['4d163258', 'M\x162X'],
  ['4d163220', 'M\x162 '],
  ['ffeeddcc', '\xff\xee\xdd\xcc'],
] as const;

describe('a parent locator', () => {
  it.each(CODES)('of the code 0x%s is parsed from its bytes, and encoded to the same bytes', (hex, code) => {
    const bytes = bytesOf(`${hex} 00010000 00000022 00000000 0000000000003000`);
    const locator = { slot: 5, code, dataSpace: 0x10000, dataLength: 0x22, dataOffset: 0x3000 };
    expect(parseLocator(bytes, 5)).toEqual(locator);
    expect(toHex(encodeLocator(locator))).toBe(toHex(bytes));
  });

  it('of the code 0 is unused, whatever else it says', () => {
    expect(parseLocator(new Uint8Array(24), 0)).toBeNull();
    expect(parseLocator(new Uint8Array(24).fill(0xff, 4), 0)).toBeNull();
  });

  it('holds its path as UTF-16LE in the W2 codes, UTF-8 in MacX, 8 bits in Wi2, and NULs do not belong to it', () => {
    const stored = [
      ['W2ru', '2e005c00e900'],
      ['W2ku', '2e005c00e900'],
      ['MacX', '2e5cc3a9'],
      ['M\x162X', '2e5cc3a9'],
      ['Wi2r', '2e5ce9'],
      ['Wi2k', '2e5ce9'],
    ] as const;
    for (const [code, hex] of stored) {
      expect(toHex(encodeLocatorPath(code, '.\\é')), code).toBe(hex);
      expect(parseLocatorPath(code, bytesOf(`${hex} 000000`)), code).toBe('.\\é');
      expect(parseLocatorPath(code, bytesOf(hex)), code).toBe('.\\é');
      expect(parseLocatorPath(code, new Uint8Array(0)), code).toBe('');
    }
  });

  it('keeps unpaired surrogates, and drops half a unit at its end', () => {
    expect(parseLocatorPath('W2ru', encodeLocatorPath('W2ru', 'a\ud800b'))).toBe('a\ud800b');
    expect(parseLocatorPath('W2ru', bytesOf('6100 62'))).toBe('a');
  });

  it('tells its room in sectors below 512, else in bytes, and none where it is neither', () => {
    const rooms = [
      [0, 0],
      [1, 512],
      [511, 511 * 512],
      [512, 512],
      [1024, 1024],
      [4096, 4096],
      [65536, 65536],
      [513, null],
      [0xffffffff, null],
      [0xfffffe00, 0xfffffe00],
    ] as const;
    for (const [dataSpace, room] of rooms) expect(locatorRoom({ dataSpace }), String(dataSpace)).toBe(room);
  });

  it('of VirtualBox is read as the code that was meant', async () => {
    const path = folder.file('virtualbox.vhd');
    await writeBase(folder.file('base.vhd'), 1);
    await writeChild(path, {
      locators: [
        ['M\x162X', 'file://./base.vhd'],
        ['M\x162 ', 'alias'],
      ],
    });
    const { facts } = await imageFacts(path);
    expect(facts.locators).toEqual([
      { code: 'MacX', path: 'file://./base.vhd' },
      { code: 'Mac ', path: null },
    ]);
    expect(facts.parent?.path).toBe(folder.file('base.vhd'));
  });

  it('of an unknown code or an alias may say anything', async () => {
    const path = folder.file('unknown.vhd');
    await writeBase(folder.file('base.vhd'), 1);
    for (const code of ['Mac ', 'Zzzz', '\xff\xff\xff\xff']) {
      await writeChild(path, {
        locators: [
          ['W2ru', '.\\base.vhd'],
          [code, 'x'],
        ],
      });
      const image = await readFile(path);
      await writeFile(
        path,
        withBytes(image, 'header', 576 + 24 + 8, 'ffffffff 00000000 001ffffffffffff0'.replaceAll(' ', '')),
      );
      expect((await firstSector(path)).format).toBe('vhd-differencing');
    }
  });

  it('of a dynamic image, which has no parent, may say anything too', async () => {
    const path = folder.file('dynamic.vhd');
    await writeFile(path, withBytes(dynamicImage(), 'header', 576, '57327275000000ff7fffffff00000000001ffffffffffff0'));
    expect((await firstSector(path)).format).toBe('vhd-dynamic');
  });
});
