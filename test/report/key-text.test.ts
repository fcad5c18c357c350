import { beforeAll, describe, expect, it } from 'vitest';
import type { KeyChangeResult, KeySlot } from '../../src/jobs/key-types.ts';
import { keyChangeText, keysText } from '../../src/report/key-text.ts';
import { plain } from './results.ts';

beforeAll(() => {
  process.env.TZ = 'Europe/Berlin';
});

const first: KeySlot = {
  name: '3f2a9c0d11223344',
  kind: 'passphrase',
  label: '',
  added: '2026-11-20T09:00:00Z',
  opened: true,
  file: 'there',
};
const cron: KeySlot = {
  ...first,
  name: '8d0e00aa11223344',
  kind: 'key-file',
  label: 'cron',
  opened: false,
  file: 'missing',
};
const keys = { slots: [first, cron], unlisted: [], warnings: [] };

describe('keys', () => {
  it('are a table, in which the one that was used is marked', () => {
    expect(keysText(keys, plain)).toMatchInlineSnapshot(`
      "slot                key         since             file     label
      3f2a9c0d11223344 ◀  passphrase  2026-11-20 10:00  there
      8d0e00aa11223344    key file    2026-11-20 10:00  missing  cron"
    `);
  });

  it('come with what else lies among their files, and with what to do', () => {
    const unlisted = ['.DS_Store', '\x1b[2J\n', ...Array.from({ length: 6 }, (_, n) => `${n}`.repeat(16))];
    const text = keysText({ slots: [], unlisted, warnings: ['keys/x is no slot'] }, plain);
    expect(text.split('\n').slice(1)).toEqual([
      'not listed: .DS_Store, ␛[2J␊, 0000000000000000, 1111111111111111, 2222222222222222, 3333333333333333 and 2 more',
      'warning: keys/x is no slot',
    ]);
  });
});

describe('a change of keys', () => {
  const change: KeyChangeResult = { ...keys, added: null, removed: [], notices: ['it is done'] };
  const told = (more: Partial<KeyChangeResult>): string | undefined =>
    keyChangeText({ ...change, ...more }, plain).split('\n')[0];

  it('is told in a line, before the keys as they are now and what is good to know', () => {
    expect(told({ added: first.name })).toBe('3f2a9c0d11223344 added');
    expect(told({ removed: [cron.name] })).toBe('8d0e00aa11223344 removed');
    expect(told({ added: first.name, removed: [cron.name, 'x'] })).toBe(
      '3f2a9c0d11223344 took the place of 8d0e00aa11223344, x',
    );
    expect(keyChangeText({ ...change, added: 'x' }, plain).split('\n')).toEqual([
      'x added',
      ...keysText(keys, plain).split('\n'),
      'note: it is done',
    ]);
  });
});
