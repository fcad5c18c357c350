import { describe, expect, test } from 'vitest';
import { parseDiskArguments } from '../../src/cli/disk-argument.ts';
import { parseCount, parseSize } from '../../src/cli/parse-value.ts';
import { Secrets } from '../../src/cli/secrets.ts';

const codeOf = (action: () => unknown): string | undefined => {
  try {
    action();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
};

describe('a size', () => {
  test.each([
    ['131072', 131072],
    ['128KiB', 131072],
    ['1 MiB', 1048576],
    ['1.5GiB', 1610612736],
    ['2TiB', 2199023255552],
    ['10KB', 10000],
    ['3MB', 3e6],
    ['4GB', 4e9],
    ['1TB', 1e12],
    ['0', 0],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSize('--size', text)).toBe(bytes);
  });

  test.each(['', '-1', '1kib', '1e3', 'KiB', '0.3', '1 2', '99999999TiB', '1constructor'])(
    '"%s" is wrong usage',
    (text) => {
      expect(codeOf(() => parseSize('--size', text))).toBe('USAGE');
    },
  );
});

test('a count is a whole number from 1', () => {
  expect(parseCount('--threads', '12')).toBe(12);
  for (const text of ['0', '-1', '1.5', 'x', '', '1e3']) {
    expect(codeOf(() => parseCount('--threads', text))).toBe('USAGE');
  }
});

describe('a disk argument', () => {
  const parse = (...texts: string[]) =>
    parseDiskArguments(texts, { cwd: '/w' }).map((disk) => [disk.name, disk.address.path]);

  test.each([
    ['os.vhd', 'os', '/w/os.vhd'],
    ['/images/data.2.vhd', 'data.2', '/images/data.2.vhd'],
    ['os=x.vhd', 'os', '/w/x.vhd'],
    ['os=/a=b.vhd', 'os', '/a=b.vhd'],
    ['./a=b.vhd', 'a-b', '/w/a=b.vhd'],
    ['-os=x.vhd', 'os-x', '/w/-os=x.vhd'],
    ['my disk (1).vhd', 'my-disk--1-', '/w/my disk (1).vhd'],
    ['/dev/sda', 'sda', '/dev/sda'],
    ['_x.raw', 'x', '/w/_x.raw'],
  ])('%s is the disk %s at %s', (text, name, path) => {
    expect(parse(text)).toEqual([[name, path]]);
  });

  test('with a name of more than 64 characters before = is a path, and its name is cut', () => {
    const long = 'n'.repeat(65);
    expect(parse(`${long}=x.vhd`)).toEqual([[long.slice(0, 64), `/w/${long}=x.vhd`]]);
  });

  test('keeps the order in which it was given, with format and absolute parent roots', () => {
    const disks = parseDiskArguments(['b.vhd', 'a.vhd'], { cwd: '/w', format: 'vhd', parentRoots: ['p', '/q'] });
    const more = { kind: 'file', format: 'vhd', parentRoots: ['/w/p', '/q'] };
    expect(disks).toEqual([
      { name: 'b', address: { ...more, path: '/w/b.vhd' } },
      { name: 'a', address: { ...more, path: '/w/a.vhd' } },
    ]);
  });

  test('that names a disk twice is refused, with the cure', () => {
    expect(() => parse('x/os.vhd', 'y/os.vhd')).toThrow(
      expect.objectContaining({ code: 'DISK_NAME', hint: 'give one of them another name: NAME=/w/y/os.vhd' }),
    );
  });

  test('without a path, or from whose path no name can be made, is refused', () => {
    expect(codeOf(() => parse('os='))).toBe('USAGE');
    expect(codeOf(() => parse('ディスク.vhd'))).toBe('DISK_NAME');
  });
});

test('secrets are masked in values of an error, not in its structure', () => {
  const secrets = new Secrets();
  secrets.keep('code');
  secrets.keep(undefined);
  secrets.keep('');
  const error = { code: 'IO', message: 'a code', hint: 'no code', details: { code: 'code', n: 1 } } as const;
  expect(secrets.redactError(error)).toEqual({
    code: 'IO',
    message: 'a ***',
    hint: 'no ***',
    details: { code: '***', n: 1 },
  });
});

test('a short secret is masked as a word, a long one wherever it stands, and neither is a pattern', () => {
  const secrets = new Secrets();
  for (const secret of ['no', 'a.b*(c', '[-/]']) secrets.keep(secret);
  expect(secrets.redact('none of no: xa.b*(cx aXbb(c [-/]')).toBe('none of ***: x***x aXbb(c ***');
});
