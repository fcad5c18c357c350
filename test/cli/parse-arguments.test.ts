import { describe, expect, test } from 'vitest';
import type { VhdvaultError } from '../../src/base/errors.ts';
import { usageOf, wordsOf } from '../../src/cli/command.ts';
import { commands } from '../../src/cli/commands.ts';
import { parseArguments } from '../../src/cli/parse-arguments.ts';

function argsOf(...words: string[]): Readonly<Record<string, unknown>> {
  const parsed = parseArguments(words);
  if ('print' in parsed) throw new Error(`printed: ${parsed.print}`);
  return parsed.args;
}

function complaintOf(...words: string[]): VhdvaultError {
  try {
    parseArguments(words);
  } catch (error) {
    return error as VhdvaultError;
  }
  throw new Error(`understood: ${words.join(' ')}`);
}

describe('the help', () => {
  test.each(commands.map((command) => [wordsOf(command), command] as const))(
    'of %s has its usage and an example',
    (words, command) => {
      const parsed = parseArguments([...words.split(' '), '--help']);
      const print = 'print' in parsed ? parsed.print : '';
      expect(print.startsWith(usageOf(command))).toBe(true);
      expect(print).toContain(`Examples:\n  vhdvault ${words}`);
    },
  );

  test('is not what an item named help asks for', () => {
    expect(argsOf('points', 'help').item).toBe('help');
  });
});

describe('words', () => {
  test('stay texts, whatever they look like', () => {
    const args = argsOf('backup', '007', '0x10', 'true', '--note', '1e3');
    expect(args).toMatchObject({ item: '007', disk: ['0x10', 'true'], note: '1e3' });
  });

  test('after an option that may be repeated are disks', () => {
    const args = argsOf('backup', 'i', '--tag', 'a', '--tag', 'b', 'os.vhd', '--parent-root', 'p', 'd.vhd');
    expect(args).toMatchObject({ tag: ['a', 'b'], 'parent-root': ['p'], disk: ['os.vhd', 'd.vhd'] });
  });

  test('behind -- are arguments, even those that look like options', () => {
    expect(argsOf('backup', '--', 'i', '-os.vhd', '--json')).toMatchObject({ item: 'i', disk: ['-os.vhd', '--json'] });
    expect(argsOf('backup', '--', 'i', '--json').json).toBeUndefined();
  });
});

describe('a complaint', () => {
  test.each([
    [['frob'], 'unknown command: frob', 'vhdvault COMMAND [options]'],
    [['vhd'], 'no command was given after vhd', 'vhdvault vhd COMMAND [options]'],
    [['vhd', 'frob'], 'unknown command: vhd frob', 'vhdvault vhd COMMAND [options]'],
    [['--json'], 'no command was given', 'vhdvault COMMAND [options]'],
    [['backup'], 'ITEM is missing', 'vhdvault backup ITEM [DISK...] [options]'],
    [['vhd', 'convert', 'a'], 'TARGET is missing', 'vhdvault vhd convert SOURCE TARGET [options]'],
    [['points', 'a', 'b'], 'too many arguments: b', 'vhdvault points [ITEM] [options]'],
    [['points', '--no-json'], 'unknown option: --no-json', 'vhdvault points [ITEM] [options]'],
    [['restore', 'a', '--to'], '--to needs a value', 'vhdvault restore REF [options]'],
    [['items', '--vault', 'a', '--vault', 'b'], '--vault is given twice', 'vhdvault items [options]'],
    [
      ['backup', 'a', '--type', 'x'],
      '--type is "x", but must be one of auto, full, incremental, differential',
      'vhdvault backup ITEM [DISK...] [options]',
    ],
  ])('about %j says what is wrong', (words, message, usage) => {
    const { code, message: said, details } = complaintOf(...words);
    expect({ code, said, usage: details.usage }).toEqual({ code: 'USAGE', said: message, usage });
  });

  test('about a misspelt command says which one may be meant', () => {
    expect(complaintOf('bakup').hint).toContain('did you mean backup?');
    expect(complaintOf('frob').hint).not.toContain('did you mean');
  });
});
