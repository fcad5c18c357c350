import { describe, expect, test } from 'vitest';
import { durationText, sizeText, speedText } from '../../src/report/quantity.ts';
import { shortPoint } from '../../src/report/short-name.ts';
import { stripText } from '../../src/report/strip.ts';
import { tableLines } from '../../src/report/table.ts';

describe('quantities', () => {
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [40 * 1024 ** 3, '40 GiB'],
    [1.37 * 1024 ** 3, '1.3 GiB'],
    [2 * 1024 ** 4, '2 TiB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(sizeText(bytes)).toBe(text);
  });

  test.each([
    [0, '0 ms'],
    [0.0374, '37 ms'],
    [3.14, '3.1 s'],
    [252, '4 min 12 s'],
    [7261, '2 h 1 min'],
    [200000, '2 d 7 h'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(durationText(seconds)).toBe(text);
  });

  test('there is no speed of nothing, nor in no time', () => {
    expect(speedText(2048, 2)).toBe('1 KiB/s');
    expect(speedText(0, 2)).toBe('');
    expect(speedText(2048, 0)).toBe('');
  });
});

describe('the strip', () => {
  test('is the lowest bar only where nothing changed', () => {
    expect(stripText(new Array(64).fill(0))).toBe('▁'.repeat(32));
    expect(stripText([...new Array(63).fill(0), 1e-9])).toBe(`${'▁'.repeat(31)}▂`);
  });

  test('is full where everything changed', () => {
    expect(stripText(new Array(64).fill(1))).toBe('█'.repeat(32));
  });

  test('averages slices, and is no wider than they are many', () => {
    expect(stripText([1, 0, 0, 0], 2)).toBe('▅▁');
    expect(stripText([0, 0.5, 1])).toBe('▁▅█');
    expect(stripText([])).toBe('');
  });
});

test('a short id is still unique among the ids beside it', () => {
  const ids = ['p1234567800000000', 'p1234567900000000', 'p12345678f0000000'];
  expect(ids.map((id) => shortPoint(id, ids))).toEqual(['p123456780', 'p12345679', 'p12345678f']);
  expect(shortPoint('p1234567800000000')).toBe('p1234567');
});

test('a table aligns its columns, and no line ends in spaces', () => {
  const rows = [
    ['a', '10', 'x'],
    ['bbb', '2'],
  ];
  expect(tableLines(rows, { head: ['n', 'size', 'note'], align: 'lr', indent: 1 })).toEqual([
    ' n    size  note',
    ' a      10  x',
    ' bbb     2',
  ]);
  expect(tableLines([])).toEqual([]);
});
