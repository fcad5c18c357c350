import { describe, expect, test } from 'vitest';
import { parseCount, parseDuration, parsePercent, parseSize } from '../../src/cli/parse-value.ts';
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

describe('a share', () => {
  test.each([
    ['10%', 10],
    ['0.5 %', 0.5],
    ['100', 100],
  ])('%s is %d percent', (text, percent) => {
    expect(parsePercent('--sample', text)).toBe(percent);
  });

  test.each(['', '%', '0', '0.0%', '-1%', '100.1%', '1e1%', '10 % %', 'half'])('"%s" is wrong usage', (text) => {
    expect(codeOf(() => parsePercent('--sample', text))).toBe('USAGE');
  });
});

describe('a duration', () => {
  test.each([
    ['90', 90],
    ['90s', 90],
    ['10m', 600],
    ['10min', 600],
    ['1h', 3600],
    ['1.5 h', 5400],
    ['14d', 1_209_600],
    ['2w', 1_209_600],
    ['0.25', 0.25],
  ])('%s is %d seconds', (text, seconds) => {
    expect(parseDuration('--hook-timeout', text)).toBe(seconds * 1000);
  });

  test.each([
    '',
    '0',
    '0s',
    '-1',
    '1e3',
    's',
    '5x',
    '1H',
    '10minutes',
    '1h30m',
    '1 2',
    '0.0001',
    '99999999999999999w',
    '1c',
  ])('"%s" is wrong usage', (text) => {
    expect(codeOf(() => parseDuration('--hook-timeout', text))).toBe('USAGE');
  });
});

test('a count is a whole number from 1', () => {
  expect(parseCount('--threads', '12')).toBe(12);
  for (const text of ['0', '-1', '1.5', 'x', '', '1e3']) {
    expect(codeOf(() => parseCount('--threads', text))).toBe('USAGE');
  }
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
